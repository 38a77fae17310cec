package main

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	acr "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerregistry/armcontainerregistry"
)

const vault = "https://keys.vault.azure.net/secrets/"

func theCache(ctx context.Context, sets *acr.CredentialSetsClient, rules *acr.CacheRulesClient) object {
	const set, rule = "sdkset", "sdkrule"
	credentials := func(user string) []*acr.AuthCredential {
		return []*acr.AuthCredential{{
			Name:                     to.Ptr(acr.CredentialNameCredential1),
			UsernameSecretIdentifier: to.Ptr(vault + user),
			PasswordSecretIdentifier: to.Ptr(vault + "password"),
		}}
	}
	made := finished(ctx)(sets.BeginCreate(ctx, group, name, set, acr.CredentialSet{
		Identity:   &acr.IdentityProperties{Type: to.Ptr(acr.ResourceIdentityTypeSystemAssigned)},
		Properties: &acr.CredentialSetProperties{LoginServer: to.Ptr("docker.io"), AuthCredentials: credentials("user")},
	}, nil)).(acr.CredentialSetsClientCreateResponse)
	changed := finished(ctx)(sets.BeginUpdate(ctx, group, name, set, acr.CredentialSetUpdateParameters{
		Properties: &acr.CredentialSetUpdateProperties{AuthCredentials: credentials("other")},
	}, nil)).(acr.CredentialSetsClientUpdateResponse)
	wanted := acr.CacheRule{Properties: &acr.CacheRuleProperties{
		SourceRepository: to.Ptr("docker.io/alpine"), TargetRepository: to.Ptr("base/alpine"),
	}}
	first := finished(ctx)(rules.BeginCreate(ctx, group, name, rule, wanted, nil)).(acr.CacheRulesClientCreateResponse)
	naming := acr.CacheRuleUpdateParameters{Properties: &acr.CacheRuleUpdateProperties{CredentialSetResourceID: made.ID}}
	named := finished(ctx)(rules.BeginUpdate(ctx, group, name, rule, naming, nil)).(acr.CacheRulesClientUpdateResponse)
	listed := func() [][]string {
		return [][]string{names(ctx, sets.NewListPager(group, name, nil)), names(ctx, rules.NewListPager(group, name, nil))}
	}
	seen := object{
		"source": first.Properties.SourceRepository,
		"health": made.Properties.AuthCredentials[0].CredentialHealth.ErrorCode,
		"user":   changed.Properties.AuthCredentials[0].UsernameSecretIdentifier,
		"server": must(sets.Get(ctx, group, name, set, nil)).Properties.LoginServer,
		"named": []bool{
			*named.Properties.CredentialSetResourceID == *made.ID,
			*must(rules.Get(ctx, group, name, rule, nil)).Properties.CredentialSetResourceID == *made.ID,
		},
		"listed": listed(),
	}
	done(ctx)(rules.BeginDelete(ctx, group, name, rule, nil))
	done(ctx)(sets.BeginDelete(ctx, group, name, set, nil))
	seen["left"] = listed()
	return seen
}
