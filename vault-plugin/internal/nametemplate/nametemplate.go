// Package nametemplate owns how the name of a secret becomes the name of an entry at a destination: a subset of Go's templates, and
// whether two of them could make the same name. It knows nothing of syncs and destinations.
package nametemplate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

const (
	// MaxText bounds a template, in bytes.
	MaxText = 512
	// MaxName bounds what a template makes, in bytes.
	MaxName = 512
	// maxStep bounds what one step of a pipeline makes, in bytes: later ones may shorten it.
	maxStep = 8 * MaxName

	plain = "{{ .Name }}"
)

// Fields are what a template may refer to.
type Fields struct{ Name, Project, Environment, Workspace string }

// Template makes names. It is immutable; the zero value makes names as they are.
type Template struct{ pieces []piece }

// piece is a text, or a field or text that goes through steps.
type piece struct {
	text  string
	field string // "" for a text
	steps []step
}

type step struct {
	name      string
	transform transform
	args      []string
}

// Parse reads a template; an empty one makes names as they are. Its error says what would be right and holds nothing of the text.
func Parse(text string) (Template, error) {
	if text == "" {
		text = plain
	}
	if len(text) > MaxText {
		return Template{}, fmt.Errorf("must be %d bytes at the most", MaxText)
	}
	known := make(map[string]any, len(transforms()))
	for name := range transforms() {
		known[name] = true
	}
	// A `define` can give itself any name but that of the whole text it stands in.
	trees, err := parse.Parse(text, text, "", "", known)
	if err != nil || len(trees) != 1 || trees[text] == nil || trees[text].Root == nil {
		return Template{}, errShape()
	}
	var t Template
	for _, node := range trees[text].Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			t.pieces = append(t.pieces, piece{text: string(n.Text)})
		case *parse.ActionNode:
			p, err := action(n.Pipe)
			if err != nil {
				return Template{}, err
			}
			t.pieces = append(t.pieces, p)
		default:
			return Template{}, errShape()
		}
	}
	if !slices.ContainsFunc(t.pieces, func(p piece) bool { return p.field == fieldName }) {
		return Template{}, fmt.Errorf("must have .Name in it, or all secrets would have one name: %s", plain)
	}
	return t, nil
}

const fieldName = "Name"

func errShape() error {
	return fmt.Errorf("must be text with {{ .Name }}, {{ .Project }}, {{ .Environment }}, {{ .Workspace }} in it, each as it is or piped through %s: APP_{{ .Name | upper }}",
		strings.Join(slices.Sorted(maps.Keys(transforms())), ", "))
}

func action(pipe *parse.PipeNode) (piece, error) {
	if pipe == nil || len(pipe.Decl) > 0 || len(pipe.Cmds) == 0 {
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

// begin takes what a pipeline begins with: a field or a text, or a function whose last argument is one. rest is that function.
func (p *piece) begin(args []parse.Node) (rest []parse.Node, err error) {
	if len(args) == 0 {
		return nil, errShape()
	}
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
	t, known := transforms()[ident.Ident]
	if !known {
		return step{}, errShape()
	}
	s := step{name: ident.Ident, transform: t}
	for _, arg := range args[1:] {
		switch n := arg.(type) {
		case *parse.StringNode:
			s.args = append(s.args, n.Text)
		case *parse.NumberNode:
			if !n.IsInt {
				return step{}, errShape()
			}
			s.args = append(s.args, strconv.FormatInt(n.Int64, 10))
		default:
			return step{}, errShape()
		}
	}
	if len(s.args) != t.args || t.check != nil && t.check(s.args) != nil {
		return step{}, fmt.Errorf("%s is written as: %s", s.name, t.usage)
	}
	return s, nil
}

// Execute makes the name for a secret. Its error says what would be right.
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
			return "", fmt.Errorf("makes a name of more than %d bytes", MaxName)
		}
		b.WriteString(text)
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("makes an empty name")
	}
	return b.String(), nil
}

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
			return "", fmt.Errorf("makes a name of more than %d bytes", MaxName)
		}
	}
	return text, nil
}
