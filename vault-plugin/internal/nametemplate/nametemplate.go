// Package nametemplate owns the templates that turn the name of a secret into the name of an entry
// at a destination. It parses and executes a subset of Go's templates, and reports whether two
// templates can produce the same name. It knows nothing of syncs and destinations.
package nametemplate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

const (
	// MaxText is the largest size of a template in bytes.
	MaxText = 512
	// MaxName is the largest size of a produced name in bytes.
	MaxName = 512
	// MaxSteps is the largest number of functions that a template calls for one name.
	MaxSteps = 32
	// maxStep is the largest output of one step of a pipeline in bytes. It is larger than MaxName
	// because a later step may shorten the text.
	maxStep = 8 * MaxName

	plain = "{{ .Name }}"
)

// Fields are the fields that a template may use.
type Fields struct{ Name, Project, Environment, Workspace string }

// Template produces names. It is immutable. The zero value leaves names unchanged.
type Template struct{ pieces []piece }

// piece is literal text, or a field or text that passes through steps.
type piece struct {
	text  string
	field string // "" for text
	steps []step
}

type step struct {
	name      string
	transform transform
	args      []string
}

// Parse parses a template. An empty template leaves names unchanged. An error says what is valid
// and contains no part of the template.
func Parse(text string) (Template, error) {
	if text == "" {
		text = plain
	}
	if len(text) > MaxText {
		return Template{}, fmt.Errorf("must be at most %d bytes", MaxText)
	}
	known := make(map[string]any, len(transforms()))
	for name := range transforms() {
		known[name] = true
	}
	// A `define` can take any name except that of the template that contains it, so a second name
	// in trees reveals it.
	trees, err := parse.Parse(text, text, "", "", known)
	if err != nil || len(trees) != 1 {
		return Template{}, errShape()
	}
	var t Template
	steps := 0
	for _, node := range trees[text].Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			t.pieces = append(t.pieces, piece{text: string(n.Text)})
		case *parse.ActionNode:
			p, err := action(n.Pipe)
			if err != nil {
				return Template{}, err
			}
			if steps += len(p.steps); steps > MaxSteps {
				return Template{}, fmt.Errorf("must call at most %d functions", MaxSteps)
			}
			t.pieces = append(t.pieces, p)
		default:
			return Template{}, errShape()
		}
	}
	if !slices.ContainsFunc(t.pieces, func(p piece) bool { return p.field == fieldName }) {
		return Template{}, fmt.Errorf("must use .Name, or all secrets would get the same name: %s", plain)
	}
	return t, nil
}

const fieldName = "Name"

func errShape() error {
	return fmt.Errorf("must be text with {{ .Name }}, {{ .Project }}, {{ .Environment }} or {{ .Workspace }}, unchanged or piped through %s; for example: APP_{{ .Name | upper }}",
		strings.Join(slices.Sorted(maps.Keys(transforms())), ", "))
}

// action reads a pipeline. The parser has rejected pipelines without a command, commands without an
// operand, and functions that transforms does not list.
func action(pipe *parse.PipeNode) (piece, error) {
	if len(pipe.Decl) > 0 {
		return piece{}, errShape()
	}
	var p piece
	for i, cmd := range pipe.Cmds {
		args := cmd.Args
		if i == 0 {
			rest, err := p.begin(args)
			if err != nil {
				return piece{}, err
			}
			if args = rest; len(args) == 0 {
				continue
			}
		}
		s, err := stepOf(args)
		if err != nil {
			return piece{}, err
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// begin reads the start of a pipeline: a field or text, or a function whose last argument is a
// field or text. rest is the call of that function without the last argument.
func (p *piece) begin(args []parse.Node) (rest []parse.Node, err error) {
	last := args[len(args)-1]
	switch n := last.(type) {
	case *parse.FieldNode:
		if len(n.Ident) != 1 || !slices.Contains([]string{fieldName, "Project", "Environment", "Workspace"}, n.Ident[0]) {
			return nil, errShape()
		}
		p.field = n.Ident[0]
	case *parse.StringNode:
		p.text = n.Text
	default:
		return nil, errShape()
	}
	return args[:len(args)-1], nil
}

func stepOf(args []parse.Node) (step, error) {
	ident, isFunction := args[0].(*parse.IdentifierNode)
	if !isFunction {
		return step{}, errShape()
	}
	t := transforms()[ident.Ident]
	s := step{name: ident.Ident, transform: t}
	errUsage := fmt.Errorf("%s must be written as: %s", s.name, t.usage)
	for _, arg := range args[1:] {
		switch n := arg.(type) {
		case *parse.StringNode:
			s.args = append(s.args, n.Text)
		case *parse.NumberNode:
			// For the parser, '_' is the number 95 and 010 is the number 8. As a text, neither is what
			// the template means.
			if n.Text != strconv.FormatInt(n.Int64, 10) {
				return step{}, errUsage
			}
			s.args = append(s.args, n.Text)
		default:
			return step{}, errShape()
		}
	}
	if len(s.args) != t.args || t.check != nil && t.check(s.args) != nil {
		return step{}, errUsage
	}
	return s, nil
}

// Execute returns the name for a secret. It returns an error if the name would be empty or larger
// than MaxName.
func (t Template) Execute(f Fields) (string, error) {
	if len(t.pieces) == 0 {
		return f.Name, nil
	}
	var b strings.Builder
	for _, p := range t.pieces {
		text, err := p.execute(f)
		if err != nil {
			return "", err
		}
		if b.Len()+len(text) > MaxName {
			return "", errTooLong()
		}
		b.WriteString(text)
	}
	if b.Len() == 0 {
		return "", errors.New("produces an empty name")
	}
	return b.String(), nil
}

func errTooLong() error { return fmt.Errorf("produces a name of more than %d bytes", MaxName) }

func (p piece) execute(f Fields) (string, error) {
	text := p.text
	switch p.field {
	case fieldName:
		text = f.Name
	case "Project":
		text = f.Project
	case "Environment":
		text = f.Environment
	case "Workspace":
		text = f.Workspace
	}
	for _, s := range p.steps {
		var fits bool
		if text, fits = s.transform.apply(text, s.args); !fits {
			return "", errTooLong()
		}
	}
	return text, nil
}
