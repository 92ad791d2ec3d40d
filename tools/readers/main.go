// Command readers reads documents as programs written in Go read them. The tests of the engine's
// documents compare the results with what was rendered. It is a module of its own, so that its
// dependencies never reach the product.
//
// The argument names the reader. Standard input is a JSON array of documents. Standard output is a
// JSON array with one element for each document: the names and values that the reader found, or null
// if it refuses the document.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/joho/godotenv"
)

// readers holds the readers by the name of their project.
var readers = map[string]func(document string) (map[string]string, error){
	"godotenv":   godotenv.Unmarshal,
	"compose-go": func(document string) (map[string]string, error) { return compose.Parse(strings.NewReader(document)) },
	"docker":     docker,
}

// docker reads a document as `docker run --env-file` does.
func docker(document string) (map[string]string, error) {
	pairs, err := kvfile.ParseFromReader(strings.NewReader(document), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	values := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return values, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 || readers[os.Args[1]] == nil {
		return fmt.Errorf("usage: readers godotenv|compose-go|docker < documents.json")
	}
	var documents []string
	if err := json.NewDecoder(os.Stdin).Decode(&documents); err != nil {
		return err
	}
	results := make([]map[string]string, len(documents))
	for i, document := range documents {
		values, err := readers[os.Args[1]](document)
		if err != nil {
			continue
		}
		results[i] = values
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
