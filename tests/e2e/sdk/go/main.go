// The management API as programs in Go use it: every operation of the Azure SDK, or what Terraform's azurerm provider does
// with a registry. Prints what came of it as JSON; the tests say what that must be.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"
)

const (
	group    = "entrepot"
	patience = 2 * time.Minute
)

// site is the server, and who signs in to it.
type site struct {
	endpoint, tenant, subscription, clientID, secret string
	source, sourceImage                              string
}

func siteOfEnvironment() site {
	return site{
		endpoint:     os.Getenv("ENDPOINT"),
		tenant:       os.Getenv("TENANT"),
		subscription: os.Getenv("SUBSCRIPTION"),
		clientID:     os.Getenv("CLIENT_ID"),
		secret:       os.Getenv("CLIENT_SECRET"),
		source:       os.Getenv("SOURCE"),
		sourceImage:  os.Getenv("SOURCE_IMAGE"),
	}
}

func main() {
	log.SetFlags(log.Lshortfile)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	commands := map[string]func(context.Context, site) any{"management": management, "terraform": terraform}
	report := commands[os.Args[1]](ctx, siteOfEnvironment())
	check(json.NewEncoder(os.Stdout).Encode(report))
}

func check(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}
