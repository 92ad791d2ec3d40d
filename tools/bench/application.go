package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// inBatch is the number of items in a batch.
const inBatch = 100

// encrypter is a mount that encrypts, with its paths.
type encrypter struct {
	name             string
	encrypt, decrypt string
	one, many        string // ciphertexts: of one message, and the batch_input of many
}

// application compares encryption for other services with Transit, for single messages of 1 KiB and
// for batches. All subjects have the key in memory and make no storage call.
func (b *bench) application(ctx context.Context) error {
	if _, err := b.write(ctx, ours+"/workspaces/application", nil); err != nil {
		return err
	}
	ciphers := []*encrypter{{name: ours, encrypt: ours + "/encrypt/application/bench", decrypt: ours + "/decrypt/application/bench"}}
	for _, mount := range []string{transitExternal, transitBuiltIn} {
		if _, err := b.write(ctx, mount+"/keys/bench", nil); err != nil {
			return err
		}
		ciphers = append(ciphers, &encrypter{name: mount, encrypt: mount + "/encrypt/bench", decrypt: mount + "/decrypt/bench"})
	}
	message := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("m", 1<<10)))
	batch := make([]any, inBatch)
	for i := range batch {
		batch[i] = map[string]any{"plaintext": message}
	}
	for _, c := range ciphers {
		if err := b.prepare(ctx, c, message, batch); err != nil {
			return err
		}
	}
	few := max(1, b.each/5)
	for _, row := range []struct {
		what  string
		each  int
		path  func(*encrypter) string
		input func(*encrypter) map[string]any
	}{
		{"encrypt 1 KiB", b.each, encrypting, func(*encrypter) map[string]any { return map[string]any{"plaintext": message} }},
		{"decrypt 1 KiB", b.each, decrypting, func(c *encrypter) map[string]any { return map[string]any{"ciphertext": c.one} }},
		{fmt.Sprintf("encrypt a batch of %d", inBatch), few, encrypting, func(*encrypter) map[string]any { return map[string]any{"batch_input": batch} }},
		{fmt.Sprintf("decrypt a batch of %d", inBatch), few, decrypting, func(c *encrypter) map[string]any { return map[string]any{"batch_input": json.RawMessage(c.many)} }},
	} {
		var subjects []measure.Subject
		for _, c := range ciphers {
			path, input := row.path(c), row.input(c)
			subjects = append(subjects, measure.Subject{Name: c.name, Round: measure.Each(row.each, func(ctx context.Context) error {
				_, err := b.write(ctx, path, input)
				return err
			})})
		}
		took, err := measure.TakeTurns(ctx, b.rounds, subjects...)
		if err != nil {
			return err
		}
		b.add(
			measure.Times(row.what, "external Transit", took[0], took[1]).AtMost(1),
			measure.Times(row.what, "built-in Transit", took[0], took[2]),
		)
	}
	return nil
}

func encrypting(c *encrypter) string { return c.encrypt }

func decrypting(c *encrypter) string { return c.decrypt }

// prepare encrypts the messages that the encrypter will decrypt.
func (b *bench) prepare(ctx context.Context, c *encrypter, message string, batch []any) error {
	one, err := b.write(ctx, c.encrypt, map[string]any{"plaintext": message})
	if err != nil {
		return err
	}
	c.one, _ = one.Data["ciphertext"].(string)
	many, err := b.write(ctx, c.encrypt, map[string]any{"batch_input": batch})
	if err != nil {
		return err
	}
	results, _ := many.Data["batch_results"].([]any)
	input := make([]map[string]any, len(results))
	for i, result := range results {
		fields, _ := result.(map[string]any)
		input[i] = map[string]any{"ciphertext": fields["ciphertext"]}
	}
	text, err := json.Marshal(input)
	c.many = string(text)
	if err == nil && (c.one == "" || len(results) != inBatch) {
		err = errors.New(c.name + " returns no ciphertext")
	}
	return err
}
