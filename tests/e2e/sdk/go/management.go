package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	acr "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerregistry/armcontainerregistry"
)

const (
	name         = "sdkingo"
	registryType = "Microsoft.ContainerRegistry/registries"
)

type object = map[string]any

// noting is a policy that keeps the names which the SDK gives to the operations that are called.
type noting map[string]bool

func (tried noting) Do(request *policy.Request) (*http.Response, error) {
	if operation, ok := request.Raw().Context().Value(runtime.CtxAPINameKey{}).(string); ok {
		tried[operation] = true
	}
	return request.Next()
}

func management(ctx context.Context, site site) any {
	tried := noting{}
	options := policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: site.endpoint,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Audience: site.endpoint, Endpoint: site.endpoint},
			},
		},
		PerCallPolicies: []policy.Policy{tried},
		Retry:           policy.RetryOptions{MaxRetries: -1},
	}
	credential, err := azidentity.NewClientSecretCredential(site.tenant, site.clientID, site.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	check(err)
	factory, err := acr.NewClientFactory(site.subscription, credential,
		&arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true})
	check(err)

	registries := factory.NewRegistriesClient()
	seen := object{
		"registries":   aRegistry(ctx, registries, factory.NewOperationsClient()),
		"admin":        theAdminAccount(ctx, registries),
		"replications": theReplications(ctx, factory.NewReplicationsClient()),
		"webhooks":     theWebhooks(ctx, factory.NewWebhooksClient(), registries),
		"tokens":       theTokens(ctx, factory.NewTokensClient(), factory.NewScopeMapsClient(), registries),
		"cached":       theCache(ctx, factory.NewCredentialSetsClient(), factory.NewCacheRulesClient()),
		"imported":     imported(ctx, registries, site),
		"pools":        thePools(ctx, factory.NewAgentPoolsClient()),
		"tasks":        theTasks(ctx, factory.NewTasksClient()),
		"taskRuns":     theTaskRuns(ctx, factory.NewTaskRunsClient()),
		"runs":         theRuns(ctx, factory.NewRunsClient(), registries),
		"absent":       absent(ctx, factory),
	}
	done(ctx)(registries.BeginDelete(ctx, group, name, nil))
	_, err = registries.Get(ctx, group, name, nil)
	seen["gone"] = codeOf(err)
	return object{"has": operationsOf(factory), "tried": sorted(tried), "seen": seen}
}

func aRegistry(ctx context.Context, registries *acr.RegistriesClient, operations *acr.OperationsClient) object {
	made := finished(ctx)(registries.BeginCreate(ctx, group, name, acr.Registry{
		Location:   to.Ptr("eastus"),
		SKU:        &acr.SKU{Name: to.Ptr(acr.SKUNamePremium)},
		Properties: &acr.RegistryProperties{AdminUserEnabled: to.Ptr(true)},
	}, nil)).(acr.RegistriesClientCreateResponse)
	free := func(name string) bool {
		wanted := acr.RegistryNameCheckRequest{Name: &name, Type: to.Ptr(registryType)}
		return *must(registries.CheckNameAvailability(ctx, wanted, nil)).NameAvailable
	}
	team := acr.RegistryUpdateParameters{Tags: map[string]*string{"team": to.Ptr("a")}}
	changed := finished(ctx)(registries.BeginUpdate(ctx, group, name, team, nil)).(acr.RegistriesClientUpdateResponse)
	return object{
		"made": []any{made.Name, made.SKU.Name, made.Properties.ProvisioningState},
		"free": []bool{free(name), free("free4go")},
		"tags": []any{changed.Tags, must(registries.Get(ctx, group, name, nil)).Tags},
		"listed": []bool{
			slices.Contains(names(ctx, registries.NewListPager(nil)), name),
			slices.Contains(names(ctx, registries.NewListByResourceGroupPager(group, nil)), name),
		},
		"described": slices.Contains(names(ctx, operations.NewListPager(nil)), registryType+"/read"),
	}
}

func theAdminAccount(ctx context.Context, registries *acr.RegistriesClient) object {
	before := must(registries.ListCredentials(ctx, group, name, nil))
	second := acr.RegenerateCredentialParameters{Name: to.Ptr(acr.PasswordNamePassword2)}
	after := must(registries.RegenerateCredential(ctx, group, name, second, nil))
	same := []bool{}
	for at, password := range before.Passwords {
		same = append(same, *password.Value == *after.Passwords[at].Value)
	}
	return object{"users": []bool{*before.Username == name, *after.Username == name}, "same": same}
}

func theReplications(ctx context.Context, client *acr.ReplicationsClient) object {
	wanted := acr.Replication{Location: to.Ptr("westus")}
	made := finished(ctx)(client.BeginCreate(ctx, group, name, "westus", wanted, nil)).(acr.ReplicationsClientCreateResponse)
	tags := acr.ReplicationUpdateParameters{Tags: map[string]*string{"a": to.Ptr("b")}}
	changed := finished(ctx)(client.BeginUpdate(ctx, group, name, "westus", tags, nil)).(acr.ReplicationsClientUpdateResponse)
	seen := object{
		"status": made.Properties.Status.DisplayStatus,
		"tags":   []any{changed.Tags, must(client.Get(ctx, group, name, "westus", nil)).Tags},
		"listed": names(ctx, client.NewListPager(group, name, nil)),
	}
	done(ctx)(client.BeginDelete(ctx, group, name, "westus", nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

func theWebhooks(ctx context.Context, client *acr.WebhooksClient, registries *acr.RegistriesClient) object {
	const hook = "sdkhook"
	made := finished(ctx)(client.BeginCreate(ctx, group, name, hook, acr.WebhookCreateParameters{
		Location: to.Ptr("eastus"),
		Properties: &acr.WebhookPropertiesCreateParameters{
			ServiceURI:    to.Ptr("https://hooks.example/a"),
			Actions:       []*acr.WebhookAction{to.Ptr(acr.WebhookActionPush)},
			CustomHeaders: map[string]*string{"X-Team": to.Ptr("a")},
		},
	}, nil)).(acr.WebhooksClientCreateResponse)
	scope := acr.WebhookUpdateParameters{Properties: &acr.WebhookPropertiesUpdateParameters{Scope: to.Ptr("app:*")}}
	changed := finished(ctx)(client.BeginUpdate(ctx, group, name, hook, scope, nil)).(acr.WebhooksClientUpdateResponse)
	pinged := must(client.Ping(ctx, group, name, hook, nil)).ID
	events := []bool{}
	for pager := client.NewListEventsPager(group, name, hook, nil); pager.More(); {
		for _, event := range must(pager.NextPage(ctx)).Value {
			events = append(events, *event.ID == *pinged)
		}
	}
	seen := object{
		"actions": made.Properties.Actions,
		"scopes":  []any{changed.Properties.Scope, must(client.Get(ctx, group, name, hook, nil)).Properties.Scope},
		"uri":     must(client.GetCallbackConfig(ctx, group, name, hook, nil)).ServiceURI,
		"events":  events,
		"listed":  names(ctx, client.NewListPager(group, name, nil)),
		"used":    usage(ctx, registries, "Webhooks"),
	}
	done(ctx)(client.BeginDelete(ctx, group, name, hook, nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

func theTokens(
	ctx context.Context, client *acr.TokensClient, maps *acr.ScopeMapsClient, registries *acr.RegistriesClient,
) object {
	const read, metadata = "repositories/app/content/read", "repositories/app/metadata/read"
	narrow := acr.ScopeMap{Properties: &acr.ScopeMapProperties{Actions: []*string{to.Ptr(read)}}}
	scopeMap := finished(ctx)(maps.BeginCreate(ctx, group, name, "sdkmap", narrow, nil)).(acr.ScopeMapsClientCreateResponse)
	actions := []*string{to.Ptr(read), to.Ptr(metadata)}
	wider := acr.ScopeMapUpdateParameters{Properties: &acr.ScopeMapPropertiesUpdateParameters{Actions: actions}}
	done(ctx)(maps.BeginUpdate(ctx, group, name, "sdkmap", wider, nil))

	wanted := acr.Token{Properties: &acr.TokenProperties{ScopeMapID: scopeMap.ID}}
	token := finished(ctx)(client.BeginCreate(ctx, group, name, "sdktoken", wanted, nil)).(acr.TokensClientCreateResponse)
	first := acr.GenerateCredentialsParameters{TokenID: token.ID, Name: to.Ptr(acr.TokenPasswordNamePassword1)}
	given := finished(ctx)(
		registries.BeginGenerateCredentials(ctx, group, name, first, nil),
	).(acr.RegistriesClientGenerateCredentialsResponse)
	off := acr.TokenUpdateParameters{Properties: &acr.TokenUpdateProperties{Status: to.Ptr(acr.TokenStatusDisabled)}}
	changed := finished(ctx)(client.BeginUpdate(ctx, group, name, "sdktoken", off, nil)).(acr.TokensClientUpdateResponse)
	seen := object{
		"actions":   must(maps.Get(ctx, group, name, "sdkmap", nil)).Properties.Actions,
		"listedMap": slices.Contains(names(ctx, maps.NewListPager(group, name, nil)), "sdkmap"),
		"given":     []any{given.Username, *given.Passwords[0].Value != ""},
		"status":    []any{changed.Properties.Status, must(client.Get(ctx, group, name, "sdktoken", nil)).Properties.Status},
		"listed":    names(ctx, client.NewListPager(group, name, nil)),
	}
	done(ctx)(client.BeginDelete(ctx, group, name, "sdktoken", nil))
	done(ctx)(maps.BeginDelete(ctx, group, name, "sdkmap", nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

func imported(ctx context.Context, registries *acr.RegistriesClient, site site) bool {
	done(ctx)(registries.BeginImportImage(ctx, group, name, acr.ImportImageParameters{
		Source:     &acr.ImportSource{ResourceID: &site.source, SourceImage: &site.sourceImage},
		TargetTags: []*string{to.Ptr("app:v1")},
	}, nil))
	return usage(ctx, registries, "Size") > 0
}

// absent tries all of the features that are not there, with the least that can be sent.
func absent(ctx context.Context, factory *acr.ClientFactory) object {
	writes, reads, lists := object{}, object{}, object{}
	clients := []any{
		factory.NewPrivateEndpointConnectionsClient(),
	}
	ofRegistry := []string{"GetPrivateLinkResource", "NewListPrivateLinkResourcesPager"}
	try := func(client any, method string) {
		operation := operationName(client, method)
		switch found, err := called(ctx, client, method); {
		case strings.HasPrefix(method, "NewList"):
			check(err)
			lists[operation] = found
		case method == "Get" || method == "GetPrivateLinkResource":
			reads[operation] = codeOf(err)
		default:
			writes[operation] = codeOf(err)
		}
	}
	for _, client := range clients {
		for _, method := range methodsOf(client) {
			try(client, method)
		}
	}
	for _, method := range ofRegistry {
		try(factory.NewRegistriesClient(), method)
	}
	return object{"writes": writes, "reads": reads, "lists": lists}
}

// called calls a method with these names and empty bodies; a pager's first page is what it returns.
func called(ctx context.Context, client any, method string) (any, error) {
	function := reflect.ValueOf(client).MethodByName(method)
	words := []string{group, name, "one"}
	arguments := []reflect.Value{}
	for at := range function.Type().NumIn() {
		switch wanted := function.Type().In(at); {
		case wanted.Kind() == reflect.String:
			arguments = append(arguments, reflect.ValueOf(words[0]))
			words = words[1:]
		case wanted == reflect.TypeFor[context.Context]():
			arguments = append(arguments, reflect.ValueOf(ctx))
		default:
			arguments = append(arguments, reflect.Zero(wanted))
		}
	}
	answers := function.Call(arguments)
	if strings.HasPrefix(method, "NewList") {
		answers = answers[0].MethodByName("NextPage").Call([]reflect.Value{reflect.ValueOf(ctx)})
		return answers[0].FieldByName("Value").Interface(), errorOf(answers[1])
	}
	return nil, errorOf(answers[len(answers)-1])
}

func errorOf(value reflect.Value) error {
	err, _ := value.Interface().(error)
	return err
}

// operationsOf are all that the SDK has, by the names that it gives to them.
func operationsOf(factory *acr.ClientFactory) []string {
	found := map[string]bool{}
	for _, method := range methodsOf(factory) {
		client := reflect.ValueOf(factory).MethodByName(method).Call(nil)[0].Interface()
		for _, operation := range methodsOf(client) {
			found[operationName(client, operation)] = true
		}
	}
	return sorted(found)
}

func methodsOf(client any) []string {
	kind := reflect.TypeOf(client)
	found := []string{}
	for at := range kind.NumMethod() {
		found = append(found, kind.Method(at).Name)
	}
	return found
}

func operationName(client any, method string) string {
	return fmt.Sprintf("%s.%s", reflect.TypeOf(client).Elem().Name(), method)
}

func usage(ctx context.Context, registries *acr.RegistriesClient, what string) int64 {
	for _, each := range must(registries.ListUsages(ctx, group, name, nil)).Value {
		if *each.Name == what {
			return *each.CurrentValue
		}
	}
	return -1
}

// names of all that a pager finds.
func names[P any](ctx context.Context, pager *runtime.Pager[P]) []string {
	found := []string{}
	for pager.More() {
		rows := reflect.ValueOf(must(pager.NextPage(ctx))).FieldByName("Value")
		for at := range rows.Len() {
			found = append(found, *rows.Index(at).Elem().FieldByName("Name").Interface().(*string))
		}
	}
	return found
}

// finished waits for a long operation, given the two that its beginning returns.
func finished(ctx context.Context) func(poller any, err error) any {
	return func(poller any, err error) any {
		check(err)
		arguments := []reflect.Value{reflect.ValueOf(ctx), reflect.Zero(reflect.TypeFor[*runtime.PollUntilDoneOptions]())}
		answers := reflect.ValueOf(poller).MethodByName("PollUntilDone").Call(arguments)
		check(errorOf(answers[1]))
		return answers[0].Interface()
	}
}

func done(ctx context.Context) func(poller any, err error) {
	return func(poller any, err error) { finished(ctx)(poller, err) }
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func codeOf(err error) string {
	var answered *azcore.ResponseError
	if errors.As(err, &answered) {
		return answered.ErrorCode
	}
	return fmt.Sprint(err)
}

func sorted(set map[string]bool) []string {
	found := []string{}
	for each := range set {
		found = append(found, each)
	}
	slices.Sort(found)
	return found
}
