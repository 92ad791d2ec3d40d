package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// DoJSON sends a request with in encoded as the JSON body, and decodes the response body into out.
// Either may be nil. If out is not nil, the response body must be one JSON value that fits it;
// unknown fields are ignored. Any other body is an *Error of class Provider. Encoding follows
// encoding/json, without escapes for HTML.
func (c *Client) DoJSON(ctx context.Context, r Request, in, out any) (*Response, error) {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = map[string][]string{}
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	if in != nil {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(in); err != nil {
			return nil, c.failed(r, Internal, "the request cannot be encoded as JSON", err)
		}
		r.Body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		defer clear(b.Bytes())
		if r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	response, err := c.Do(ctx, r)
	if err != nil || out == nil {
		return response, err
	}
	if err := decodeJSON(response.Body, out); err != nil {
		e := c.failed(r, Provider, "the response is not the expected JSON: check the address", err)
		e.Status, e.RequestID, e.Unknown = response.Status, response.RequestID, r.Write || !r.Safe
		return nil, e
	}
	return response, nil
}

// decodeJSON decodes one JSON value. It rejects trailing data and null.
func decodeJSON(body []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(out); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data follows the JSON value")
	}
	if string(bytes.TrimSpace(body)) == "null" {
		return errors.New("the JSON value is null")
	}
	return nil
}
