"""What every deployment has: tenants, subscriptions, locations, groups, providers, lists of everything."""
