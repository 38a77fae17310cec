"""Surface /oauth2: registry tokens. Spec: distribution "Token Authentication Specification"; ACR-REFERENCE 4.3."""
