package main

import (
	"context"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	acr "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerregistry/armcontainerregistry"
)

const (
	gitContext = "https://git.example/team/app.git"
	// steps: []
	encodedTask = "c3RlcHM6IFtdCg=="
)

func thePools(ctx context.Context, client *acr.AgentPoolsClient) object {
	const pool = "sdkpool"
	wanted := acr.AgentPool{Location: to.Ptr("eastus"), Properties: &acr.AgentPoolProperties{
		Count: to.Ptr[int32](2), Tier: to.Ptr("S2"), OS: to.Ptr(acr.OSLinux),
	}}
	made := finished(ctx)(client.BeginCreate(ctx, group, name, pool, wanted, nil)).(acr.AgentPoolsClientCreateResponse)
	none := acr.AgentPoolUpdateParameters{Properties: &acr.AgentPoolPropertiesUpdateParameters{Count: to.Ptr[int32](0)}}
	changed := finished(ctx)(client.BeginUpdate(ctx, group, name, pool, none, nil)).(acr.AgentPoolsClientUpdateResponse)
	seen := object{
		"tier":   made.Properties.Tier,
		"counts": []any{made.Properties.Count, changed.Properties.Count, must(client.Get(ctx, group, name, pool, nil)).Properties.Count},
		"queued": must(client.GetQueueStatus(ctx, group, name, pool, nil)).Count,
		"listed": names(ctx, client.NewListPager(group, name, nil)),
	}
	done(ctx)(client.BeginDelete(ctx, group, name, pool, nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

func theTasks(ctx context.Context, client *acr.TasksClient) object {
	const task = "sdktask"
	key := acr.Argument{Name: to.Ptr("key"), Value: to.Ptr("the-key"), IsSecret: to.Ptr(true)}
	wanted := acr.Task{Location: to.Ptr("eastus"), Properties: &acr.TaskProperties{
		Platform: &acr.PlatformProperties{OS: to.Ptr(acr.OSLinux), Architecture: to.Ptr(acr.ArchitectureAmd64)},
		Step: &acr.DockerBuildStep{
			Type: to.Ptr(acr.StepTypeDocker), DockerFilePath: to.Ptr("Dockerfile"), ContextPath: to.Ptr(gitContext),
			Arguments: []*acr.Argument{&key},
		},
	}}
	made := finished(ctx)(client.BeginCreate(ctx, group, name, task, wanted, nil)).(acr.TasksClientCreateResponse)
	target := acr.TaskUpdateParameters{Properties: &acr.TaskPropertiesUpdateParameters{
		Step: &acr.DockerBuildStepUpdateParameters{Type: to.Ptr(acr.StepTypeDocker), Target: to.Ptr("release")},
	}}
	changed := finished(ctx)(client.BeginUpdate(ctx, group, name, task, target, nil)).(acr.TasksClientUpdateResponse)
	shown, details := must(client.Get(ctx, group, name, task, nil)), must(client.GetDetails(ctx, group, name, task, nil))
	seen := object{
		"state":   made.Properties.ProvisioningState,
		"targets": []any{stepOf(changed.Properties).Target, stepOf(shown.Properties).Target},
		"secrets": []any{stepOf(shown.Properties).Arguments[0].Value, stepOf(details.Properties).Arguments[0].Value},
		"listed":  names(ctx, client.NewListPager(group, name, nil)),
	}
	done(ctx)(client.BeginDelete(ctx, group, name, task, nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

func stepOf(properties *acr.TaskProperties) *acr.DockerBuildStep {
	return properties.Step.(*acr.DockerBuildStep)
}

// theTaskRuns are not waited for: what they run is another's to see.
func theTaskRuns(ctx context.Context, client *acr.TaskRunsClient) object {
	const taskRun = "sdktaskrun"
	request := acr.DockerBuildRequest{
		Type: to.Ptr("DockerBuildRequest"), DockerFilePath: to.Ptr("Dockerfile"), SourceLocation: to.Ptr(gitContext),
		Platform: &acr.PlatformProperties{OS: to.Ptr(acr.OSLinux)},
	}
	wanted := acr.TaskRun{Location: to.Ptr("eastus"), Properties: &acr.TaskRunProperties{RunRequest: &request}}
	_, err := client.BeginCreate(ctx, group, name, taskRun, wanted, nil)
	check(err)
	first := must(client.Get(ctx, group, name, taskRun, nil)).Properties.RunResult.Name
	again := acr.TaskRunUpdateParameters{
		Properties: &acr.TaskRunPropertiesUpdateParameters{ForceUpdateTag: to.Ptr("again")},
	}
	_, err = client.BeginUpdate(ctx, group, name, taskRun, again, nil)
	check(err)
	second := must(client.GetDetails(ctx, group, name, taskRun, nil)).Properties.RunResult.Name
	seen := object{"runs": []any{first, second}, "listed": names(ctx, client.NewListPager(group, name, nil))}
	done(ctx)(client.BeginDelete(ctx, group, name, taskRun, nil))
	seen["left"] = names(ctx, client.NewListPager(group, name, nil))
	return seen
}

// theRuns are not waited for, either: a server without an engine ends them soon, another one later.
func theRuns(ctx context.Context, client *acr.RunsClient, registries *acr.RegistriesClient) object {
	request := acr.EncodedTaskRunRequest{
		Type: to.Ptr("EncodedTaskRunRequest"), EncodedTaskContent: to.Ptr(encodedTask),
		Platform: &acr.PlatformProperties{OS: to.Ptr(acr.OSLinux)},
	}
	begun := finished(ctx)(
		registries.BeginScheduleRun(ctx, group, name, &request, nil),
	).(acr.RegistriesClientScheduleRunResponse)
	run, archived := *begun.Name, acr.RunUpdateParameters{IsArchiveEnabled: to.Ptr(true)}
	kept := finished(ctx)(client.BeginUpdate(ctx, group, name, run, archived, nil)).(acr.RunsClientUpdateResponse)
	done(ctx)(client.BeginCancel(ctx, group, name, run, nil))
	upload := must(registries.GetBuildSourceUploadURL(ctx, group, name, nil))
	return object{
		"begun":    []any{begun.Properties.RunType, begun.Properties.ProvisioningState},
		"same":     *must(client.Get(ctx, group, name, run, nil)).Properties.RunID == run,
		"archived": kept.Properties.IsArchiveEnabled,
		"listed":   slices.Contains(names(ctx, client.NewListPager(group, name, nil)), run),
		"log":      *must(client.GetLogSasURL(ctx, group, name, run, nil)).LogLink != "",
		"upload":   *upload.UploadURL != "" && *upload.RelativePath != "",
	}
}
