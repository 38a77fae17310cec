package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/hashicorp/go-azure-helpers/lang/pointer"
	"github.com/hashicorp/go-azure-helpers/lang/response"
	"github.com/hashicorp/go-azure-helpers/resourcemanager/commonids"
	azure "github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/registries"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/replications"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/scopemaps"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/tokens"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/webhooks"
	"github.com/hashicorp/go-azure-sdk/resource-manager/resources/2022-09-01/providers"
	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/claims"
	"github.com/hashicorp/go-azure-sdk/sdk/client"
	"github.com/hashicorp/go-azure-sdk/sdk/client/resourcemanager"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

const planned = "sdkterraform"

// terraform makes the calls of Terraform's azurerm provider, with the SDK and the bodies that it uses and in its order.
// Source: hashicorp/terraform-provider-azurerm, internal/clients/builder.go and auth.go, internal/resourceproviders/cache.go,
// internal/services/containers/container_registry*_resource.go of August 2026.
func terraform(ctx context.Context, site site) any {
	environment := must(environments.FromEndpoint(ctx, site.endpoint))
	credentials := auth.Credentials{
		Environment:                           *environment,
		ClientID:                              site.clientID,
		ClientSecret:                          site.secret,
		TenantID:                              site.tenant,
		EnableAuthenticatingUsingClientSecret: true,
	}
	authorizer := must(auth.NewAuthorizerFromCredentials(ctx, credentials, environment.ResourceManager))
	for _, api := range []environments.Api{environment.Storage, environment.KeyVault} {
		must(auth.NewAuthorizerFromCredentials(ctx, credentials, api))
	}
	known := must(providers.NewProvidersClientWithBaseURI(environment.ResourceManager))
	configure(known.Client, authorizer)
	all := must(known.ListComplete(ctx, commonids.NewSubscriptionID(site.subscription), providers.DefaultListOperationOptions()))

	acr := must(azure.NewClientWithBaseURI(environment.ResourceManager, func(c *resourcemanager.Client) { configure(c, authorizer) }))
	registry := plannedRegistry{ctx, acr, registries.NewRegistryID(site.subscription, group, planned)}
	seen := object{
		"account":    account(ctx, credentials),
		"registered": slices.ContainsFunc(all.Items, isRegistered),
		"created":    registry.create(),
		"updated":    registry.update(),
		"children":   registry.children(),
	}
	check(acr.Registries.DeleteThenPoll(ctx, registry.id))
	seen["deleted"] = registry.read()
	return seen
}

// configure has the SDK ask at once, and not wait ten seconds first, as it does otherwise.
func configure(c *resourcemanager.Client, authorizer auth.Authorizer) {
	c.SetAuthorizer(authorizer)
	c.AppendResponseMiddleware(func(_ *http.Request, answer *http.Response) (*http.Response, error) {
		answer.Header[client.SkipPollingDelayHeader] = []string{"true"}
		return answer, nil
	})
}

// account is what the provider reads of a token for Graph; it asks Graph itself where a claim lacks.
func account(ctx context.Context, credentials auth.Credentials) object {
	authorizer := must(auth.NewAuthorizerFromCredentials(ctx, credentials, credentials.Environment.MicrosoftGraph))
	told := must(claims.ParseClaims(must(authorizer.Token(ctx, &http.Request{}))))
	return object{"client": told.AppId, "object": told.ObjectId != "", "tenant": told.TenantId}
}

func isRegistered(provider providers.Provider) bool {
	const namespace, registered = "Microsoft.ContainerRegistry", "Registered"
	return pointer.From(provider.Namespace) == namespace && pointer.From(provider.RegistrationState) == registered
}

type plannedRegistry struct {
	ctx context.Context
	acr *azure.Client
	id  registries.RegistryId
}

// create is that of a Premium registry with an admin, a rule for addresses, and a copy in another region.
func (r plannedRegistry) create() any {
	existing, err := r.acr.Registries.Get(r.ctx, r.id)
	if !response.WasNotFound(existing.HttpResponse) {
		check(err)
		return "is there already"
	}
	check(r.acr.Registries.CreateThenPoll(r.ctx, r.id, registries.Registry{
		Location: "eastus",
		Sku:      registries.Sku{Name: registries.SkuNamePremium, Tier: pointer.To(registries.SkuTierPremium)},
		Properties: &registries.RegistryProperties{
			AdminUserEnabled: pointer.To(true),
			NetworkRuleSet: &registries.NetworkRuleSet{
				DefaultAction: registries.DefaultActionAllow,
				IPRules: &[]registries.IPRule{
					{Action: pointer.To(registries.ActionAllow), Value: "192.0.2.0/24"},
				},
			},
			Policies: &registries.Policies{
				QuarantinePolicy: &registries.QuarantinePolicy{Status: pointer.To(registries.PolicyStatusDisabled)},
				RetentionPolicy:  &registries.RetentionPolicy{},
				ExportPolicy:     &registries.ExportPolicy{Status: pointer.To(registries.ExportPolicyStatusEnabled)},
				AzureADAuthenticationAsArmPolicy: &registries.AzureADAuthenticationAsArmPolicy{
					Status: pointer.To(registries.AzureADAuthenticationAsArmPolicyStatusEnabled),
				},
			},
			PublicNetworkAccess:              pointer.To(registries.PublicNetworkAccessEnabled),
			ZoneRedundancy:                   pointer.To(registries.ZoneRedundancyDisabled),
			AnonymousPullEnabled:             pointer.To(false),
			DataEndpointEnabled:              pointer.To(false),
			NetworkRuleBypassOptions:         pointer.To(registries.NetworkRuleBypassOptionsAzureServices),
			RoleAssignmentMode:               pointer.To(registries.RoleAssignmentModeLegacyRegistryPermissions),
			NetworkRuleBypassAllowedForTasks: pointer.To(false),
		},
		Tags: &map[string]string{"team": "a"},
	}))
	westus := replications.NewReplicationID(r.id.SubscriptionId, group, planned, "westus")
	check(r.acr.Replications.CreateThenPoll(r.ctx, westus, replications.Replication{
		Location: "westus",
		Name:     pointer.To("westus"),
		Tags:     &map[string]string{},
		Properties: &replications.ReplicationProperties{
			ZoneRedundancy:        pointer.To(replications.ZoneRedundancyDisabled),
			RegionEndpointEnabled: pointer.To(true),
		},
	}))
	return r.read()
}

// update takes the copy away, then changes tags, policies and the admin, then the tier.
func (r plannedRegistry) update() any {
	westus := replications.NewReplicationID(r.id.SubscriptionId, group, planned, "westus")
	check(r.acr.Replications.DeleteThenPoll(r.ctx, westus))
	check(r.acr.Registries.UpdateThenPoll(r.ctx, r.id, registries.RegistryUpdateParameters{
		Properties: &registries.RegistryPropertiesUpdateParameters{
			AdminUserEnabled: pointer.To(false),
			NetworkRuleSet: &registries.NetworkRuleSet{
				DefaultAction: registries.DefaultActionAllow,
				IPRules:       &[]registries.IPRule{},
			},
			Policies: &registries.Policies{
				RetentionPolicy: &registries.RetentionPolicy{Status: pointer.To(registries.PolicyStatusDisabled)},
				ExportPolicy:    &registries.ExportPolicy{Status: pointer.To(registries.ExportPolicyStatusEnabled)},
			},
		},
		Tags: &map[string]string{"team": "b"},
	}))
	check(r.acr.Registries.UpdateThenPoll(r.ctx, r.id, registries.RegistryUpdateParameters{
		Sku: &registries.Sku{Name: registries.SkuNameStandard, Tier: pointer.To(registries.SkuTierStandard)},
	}))
	return r.read()
}

// read is what the provider writes into the state, or nil where nothing is there.
func (r plannedRegistry) read() any {
	found, err := r.acr.Registries.Get(r.ctx, r.id)
	if response.WasNotFound(found.HttpResponse) {
		return nil
	}
	check(err)
	told := found.Model.Properties
	rules := []string{}
	for _, rule := range *told.NetworkRuleSet.IPRules {
		rules = append(rules, string(*rule.Action)+" "+rule.Value)
	}
	state := object{
		"location":  found.Model.Location,
		"sku":       string(*found.Model.Sku.Tier),
		"tags":      found.Model.Tags,
		"server":    told.LoginServer,
		"admin":     told.AdminUserEnabled,
		"public":    *told.PublicNetworkAccess == registries.PublicNetworkAccessEnabled,
		"zones":     *told.ZoneRedundancy == registries.ZoneRedundancyEnabled,
		"default":   told.NetworkRuleSet.DefaultAction,
		"rules":     rules,
		"bypass":    told.NetworkRuleBypassOptions,
		"roles":     told.RoleAssignmentMode,
		"hosts":     told.DataEndpointHostNames,
		"retention": *told.Policies.RetentionPolicy.Status,
		"export":    *told.Policies.ExportPolicy.Status,
	}
	if *told.AdminUserEnabled {
		given := must(r.acr.Registries.ListCredentials(r.ctx, r.id))
		state["username"], state["passwords"] = given.Model.Username, len(*given.Model.Passwords)
	}
	elsewhere := []string{}
	id := replications.NewRegistryID(r.id.SubscriptionId, group, planned)
	for _, replication := range *must(r.acr.Replications.List(r.ctx, id)).Model {
		if replication.Location != found.Model.Location {
			elsewhere = append(elsewhere, replication.Location)
			state["global"] = pointer.From(replication.Properties.RegionEndpointEnabled)
			state["zonesThere"] = *replication.Properties.ZoneRedundancy == replications.ZoneRedundancyEnabled
		}
	}
	state["georeplications"] = elsewhere
	return state
}

// children are a scope map, a token of it with a password, and a webhook, as their resources make, read and delete them.
func (r plannedRegistry) children() any {
	actions := []string{"repositories/app/content/read"}
	scopeMap := scopemaps.NewScopeMapID(r.id.SubscriptionId, group, planned, "readers")
	check(r.acr.ScopeMaps.CreateThenPoll(r.ctx, scopeMap, scopemaps.ScopeMap{
		Properties: &scopemaps.ScopeMapProperties{Description: pointer.To(""), Actions: actions},
	}))
	token := tokens.NewTokenID(r.id.SubscriptionId, group, planned, "reader")
	check(r.acr.Tokens.CreateThenPoll(r.ctx, token, tokens.Token{
		Properties: &tokens.TokenProperties{
			ScopeMapId: pointer.To(scopeMap.ID()), Status: pointer.To(tokens.TokenStatusEnabled),
		},
	}))
	password := r.password(token)
	webhook := webhooks.NewWebHookID(r.id.SubscriptionId, group, planned, "plannedhook")
	check(r.acr.WebHooks.CreateThenPoll(r.ctx, webhook, webhooks.WebhookCreateParameters{
		Location: "eastus",
		Properties: &webhooks.WebhookPropertiesCreateParameters{
			ServiceUri:    "https://hooks.example/a",
			Actions:       []webhooks.WebhookAction{webhooks.WebhookActionPush},
			CustomHeaders: &map[string]string{},
			Scope:         pointer.To(""),
			Status:        pointer.To(webhooks.WebhookStatusEnabled),
		},
		Tags: &map[string]string{},
	}))
	config := must(r.acr.WebHooks.GetCallbackConfig(r.ctx, webhook))
	seen := object{
		"actions":  must(r.acr.ScopeMaps.Get(r.ctx, scopeMap)).Model.Properties.Actions,
		"password": password,
		"uri":      config.Model.ServiceUri,
	}
	check(r.acr.WebHooks.DeleteThenPoll(r.ctx, webhook))
	check(r.acr.Tokens.DeleteThenPoll(r.ctx, token))
	check(r.acr.ScopeMaps.DeleteThenPoll(r.ctx, scopeMap))
	return seen
}

// password counts a token's passwords before, with and after one that ends.
func (r plannedRegistry) password(token tokens.TokenId) object {
	count := func() int {
		return len(*must(r.acr.Tokens.Get(r.ctx, token)).Model.Properties.Credentials.Passwords)
	}
	counts := []int{count()}
	generated := must(r.acr.Registries.GenerateCredentials(r.ctx, r.id, registries.GenerateCredentialsParameters{
		TokenId: pointer.To(token.ID()),
		Expiry:  pointer.To("2099-01-02T03:04:05Z"),
		Name:    pointer.To(registries.TokenPasswordName("password1")),
	}))
	check(generated.Poller.PollUntilDone(r.ctx))
	var given registries.GenerateCredentialsResult
	check(json.NewDecoder(generated.HttpResponse.Body).Decode(&given))
	counts = append(counts, count())
	none := tokens.TokenCredentialsProperties{Passwords: &[]tokens.TokenPassword{}}
	check(r.acr.Tokens.UpdateThenPoll(r.ctx, token, tokens.TokenUpdateParameters{
		Properties: &tokens.TokenUpdateProperties{Credentials: &none},
	}))
	return object{"given": *(*given.Passwords)[0].Value != "", "counts": append(counts, count())}
}
