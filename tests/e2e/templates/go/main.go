// Renders templates as ACR's engine does: Go's text/template with the functions of Sprig v2, of which it changed one.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
)

type asked struct {
	Root      map[string]interface{} `json:"root"`
	Templates []string               `json:"templates"`
}

type rendered struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

func main() {
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	var ask asked
	if err := decoder.Decode(&ask); err != nil {
		panic(err)
	}
	root := typed(ask.Root)
	answers := []rendered{}
	for _, text := range ask.Templates {
		answers = append(answers, render(text, root))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}

func render(text string, root interface{}) rendered {
	functions := sprig.TxtFuncMap()
	functions["b64enc"] = b64enc
	parsed, err := template.New("decoded").Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return rendered{Error: fmt.Sprintf("failed to parse template: %s", err)}
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, root); err != nil {
		return rendered{Error: fmt.Sprintf("failed to execute template: %s", err)}
	}
	return rendered{Text: strings.ReplaceAll(out.String(), "<no value>", "")}
}

func b64enc(value interface{}) string {
	if value == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%v", value)))
}

// As a YAML reader has them: whole numbers are ints.
func typed(value interface{}) interface{} {
	switch value := value.(type) {
	case map[string]interface{}:
		for key, each := range value {
			value[key] = typed(each)
		}
		return value
	case []interface{}:
		for at, each := range value {
			value[at] = typed(each)
		}
		return value
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return int(whole)
		}
		fraction, _ := value.Float64()
		return fraction
	default:
		return value
	}
}
