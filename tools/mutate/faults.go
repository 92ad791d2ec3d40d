package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// operator is a kind of fault.
type operator string

const (
	never  operator = "never"  // a condition is false
	always operator = "always" // a condition is true
	bound  operator = "bound"  // a comparison includes or excludes its bound
	number operator = "number" // an added or subtracted number is smaller by 1
	drop   operator = "drop"   // a statement is left out
	swap   operator = "swap"   // a statement and the next one change places
)

// fault is a single fault in a source file. Its edits put the fault behind a switch.
type fault struct {
	n     int // number of the switch, from 1
	file  string
	line  int
	in    string // the function
	op    operator
	text  string // the source that the fault changes, in one line
	nth   int    // among the faults of the function with the same operator and text, from 1
	edits []edit
}

// key identifies a fault for as long as its source does not change.
func (f fault) key() string {
	text := f.text
	if f.nth > 1 {
		text = fmt.Sprintf("%s (%d)", text, f.nth)
	}
	return strings.Join([]string{f.file, f.in, string(f.op), text}, " | ")
}

// finder collects the faults of one file.
type finder struct {
	set    *token.FileSet
	info   *types.Info
	source []byte
	file   string // relative to the root of the checkout
	next   func() int
	in     string
	found  []fault
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

// raw returns the source of a node.
func (f *finder) raw(n ast.Node) string { return string(f.source[f.offset(n.Pos()):f.offset(n.End())]) }

// add records a fault of a node. build makes its edits for the number of its switch.
func (f *finder) add(op operator, n ast.Node, text string, build func(n int) []edit) {
	const most = 100 // bytes of the source that identify a fault
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most]
	}
	fault := fault{n: f.next(), file: f.file, line: f.set.Position(n.Pos()).Line, in: f.in, op: op, text: text, nth: 1}
	for _, other := range f.found {
		if other.in == fault.in && other.op == op && other.text == text {
			fault.nth++
		}
	}
	fault.edits = build(fault.n)
	f.found = append(f.found, fault)
}

// around inserts text before and after a node.
func (f *finder) around(n ast.Node, before, after string) []edit {
	return []edit{{at: f.offset(n.Pos()), before: true, text: before}, {at: f.offset(n.End()), text: after}}
}

// find collects the faults of a file.
func (f *finder) find(file *ast.File) {
	for _, decl := range file.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		f.in = name(function)
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				f.condition(n.Cond, true)
				f.returns(n)
			case *ast.ForStmt:
				if n.Cond != nil {
					f.condition(n.Cond, false)
				}
			case *ast.SwitchStmt:
				f.cases(n)
			case *ast.ReturnStmt:
				for _, result := range n.Results {
					f.condition(result, true)
				}
			case *ast.BinaryExpr:
				f.binary(n)
			case *ast.BlockStmt:
				f.statements(n.List)
			case *ast.CaseClause:
				f.statements(n.Body)
			case *ast.CommClause:
				f.statements(n.Body)
			}
			return true
		})
	}
}

// condition adds the faults of a boolean expression: it is false, or true, as a whole and by
// operand. A loop whose condition is always true would not end.
func (f *finder) condition(e ast.Expr, mayHold bool) {
	if !f.isBool(e) {
		return
	}
	f.force(e, mayHold)
	f.operands(e)
}

func (f *finder) operands(e ast.Expr) {
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	if !ok || b.Op != token.LAND && b.Op != token.LOR {
		return
	}
	for _, operand := range []ast.Expr{b.X, b.Y} {
		// The other value of an operand decides the whole, which force has added.
		if b.Op == token.LAND {
			f.add(always, operand, f.raw(operand), func(n int) []edit { return f.around(operand, fmt.Sprintf("(mutant__(%d) || (", n), "))") })
		} else {
			f.add(never, operand, f.raw(operand), func(n int) []edit { return f.around(operand, fmt.Sprintf("(!mutant__(%d) && (", n), "))") })
		}
		f.operands(operand)
	}
}

func (f *finder) force(e ast.Expr, mayHold bool) {
	f.add(never, e, f.raw(e), func(n int) []edit { return f.around(e, fmt.Sprintf("!mutant__(%d) && (", n), ")") })
	if mayHold {
		f.add(always, e, f.raw(e), func(n int) []edit { return f.around(e, fmt.Sprintf("mutant__(%d) || (", n), ")") })
	}
}

// isBool reports whether an expression has the type bool and is no constant.
func (f *finder) isBool(e ast.Expr) bool {
	t, known := f.info.Types[e]
	if !known || t.Value != nil {
		return false
	}
	basic, ok := types.Unalias(t.Type).(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0
}

// cases adds the faults of the conditions of a switch without a tag.
func (f *finder) cases(s *ast.SwitchStmt) {
	if s.Tag != nil {
		return
	}
	for _, clause := range s.Body.List {
		if c, ok := clause.(*ast.CaseClause); ok {
			for _, e := range c.List {
				f.condition(e, true)
			}
		}
	}
}

var bounds = map[token.Token]string{token.LSS: "less__", token.LEQ: "lessEqual__", token.GTR: "greater__", token.GEQ: "greaterEqual__"}

// binary adds the faults of a comparison, and of an addition or subtraction of a number.
func (f *finder) binary(b *ast.BinaryExpr) {
	whole := f.info.Types[b]
	if function := bounds[b.Op]; function != "" && whole.Value == nil && f.ordered(b.X) && f.ordered(b.Y) {
		f.add(bound, b, f.raw(b), func(n int) []edit {
			operator := f.offset(b.OpPos)
			return append(f.around(b, fmt.Sprintf("%s(%d, ", function, n), ")"), edit{at: operator, cut: len(b.Op.String()), text: ","})
		})
	}
	literal, ok := b.Y.(*ast.BasicLit)
	if !ok || literal.Kind != token.INT || b.Op != token.ADD && b.Op != token.SUB || whole.Value != nil {
		return
	}
	if basic, ok := types.Unalias(whole.Type).(*types.Basic); ok && basic.Info()&types.IsInteger != 0 {
		f.add(number, b, f.raw(b), func(n int) []edit { return f.around(literal, fmt.Sprintf("number__[%s](%d, ", basic.Name(), n), ")") })
	}
}

func (f *finder) ordered(e ast.Expr) bool {
	basic, ok := f.info.TypeOf(e).Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsOrdered != 0
}

// returns adds a fault for a return at the end of an if without else that does something else
// before. If the return is all there is, the fault equals a condition that is never true.
func (f *finder) returns(s *ast.IfStmt) {
	last := len(s.Body.List) - 1
	if s.Else != nil || last < 1 {
		return
	}
	switch end := s.Body.List[last].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		f.drop(end)
	}
}

func (f *finder) drop(s ast.Stmt) {
	f.add(drop, s, f.raw(s), func(n int) []edit { return f.around(s, fmt.Sprintf("if !mutant__(%d) { ", n), " }") })
}

// statements adds the faults of a list of statements: one is left out, or changes places with the
// next one.
func (f *finder) statements(list []ast.Stmt) {
	// The swaps come first, because their edits enclose those of the single statements.
	for first := 0; first < len(list); first++ {
		last := first
		for last < len(list) && f.movable(list[last]) {
			last++
		}
		if last-first > 1 {
			f.swaps(list[first:last])
		}
		first = max(first, last-1)
	}
	for _, s := range list {
		if removable(s) {
			f.drop(s)
		}
	}
}

// swaps adds the faults of a run of statements that can change places.
func (f *finder) swaps(run []ast.Stmt) {
	for i := range len(run) - 1 {
		f.add(swap, run[i], f.raw(run[i])+" <-> "+f.raw(run[i+1]), func(n int) []edit {
			order := slices.Clone(run)
			order[i], order[i+1] = order[i+1], order[i]
			text := fmt.Sprintf("if mutant__(%d) {\n", n)
			for _, s := range order {
				text += f.raw(s) + "\n"
			}
			return []edit{{at: f.offset(run[0].Pos()), before: true, text: text + "} else {\n"}, {at: f.offset(run[len(run)-1].End()), text: "\n}"}}
		})
	}
}

// removable reports whether the code without a statement still compiles.
func removable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		function, ok := call.Fun.(*ast.Ident)
		return !ok || function.Name != "panic"
	case *ast.DeferStmt, *ast.IncDecStmt:
		return true
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	}
	return false
}

// movable reports whether a statement can change places with another one: it has an effect,
// declares nothing that later statements see, and does not end the function.
func (f *finder) movable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return removable(s)
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE && calls(s)
	case *ast.IfStmt:
		return s.Else == nil && s.Init != nil && calls(s.Init)
	}
	return false
}

func calls(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		_, call := n.(*ast.CallExpr)
		found = found || call
		return !found
	})
	return found
}

// name returns the name of a function, with the type of a method's receiver.
func name(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	e := f.Recv.List[0].Type
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}
