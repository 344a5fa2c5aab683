package build

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

const signatures = "func([context.Context][, In]) ([Out,] error), func(http.ResponseWriter, *http.Request) or a variable that is an http.Handler"

// folder is what the Go files of a folder declare, as far as an entry point goes.
type folder struct {
	files    *token.FileSet
	names    []string
	packages map[string]string // file → package
	main     token.Pos         // of func main, if there is one
	exported []declared
}

// declared is an exported name of a file.
type declared struct {
	file, name string
	pos        token.Pos
	function   *ast.FuncType // nil: something else
	what       string        // what else: var, const or type
}

// survey parses the files.
func survey(dir string, names []string) (folder, error) {
	f := folder{files: token.NewFileSet(), names: names, packages: map[string]string{}}
	if len(names) == 0 {
		return f, fmt.Errorf("package %s: no Go files for the tag %s", dir, entryTag)
	}
	for _, name := range names {
		file, err := parser.ParseFile(f.files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return f, err // with file and line
		}
		f.packages[name] = file.Name.Name
		for _, d := range file.Decls {
			f.add(name, d)
		}
	}
	return f, nil
}

func (f *folder) add(file string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		switch {
		case d.Recv != nil:
		case d.Name.Name == "main":
			f.main = d.Pos()
		case d.Name.IsExported():
			f.exported = append(f.exported, declared{file: file, name: d.Name.Name, pos: d.Pos(), function: d.Type})
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			var names []*ast.Ident
			switch s := s.(type) {
			case *ast.ValueSpec:
				names = s.Names
			case *ast.TypeSpec:
				names = []*ast.Ident{s.Name}
			}
			for _, n := range names {
				if n.IsExported() {
					f.exported = append(f.exported, declared{file: file, name: n.Name, pos: n.Pos(), what: d.Tok.String()})
				}
			}
		}
	}
}

// check tells what is wrong with an entry point, as far as the source tells; the rest is for the compiler, and for the program's start.
func (f folder) check(file, name string) error {
	pkg, ok := f.packages[file]
	switch {
	case !ok:
		return fmt.Errorf("no file %s for the tag %s, only %s", file, entryTag, strings.Join(f.names, ", "))
	case pkg != "main":
		return fmt.Errorf("%s is of package %s; want package main", file, pkg)
	case f.main.IsValid():
		return fmt.Errorf("%s: a func main, which a cloud function has none of; keep it out with //go:build !%s", f.files.Position(f.main), entryTag)
	}
	at := slices.IndexFunc(f.exported, func(d declared) bool { return d.name == name })
	if at < 0 {
		return fmt.Errorf("no %s in %s; found %s", name, file, f.list())
	}
	d := f.exported[at]
	var why string
	switch {
	case d.file != file:
		return fmt.Errorf("%s is in %s: the entry point is %s.%[1]s", name, d.file, strings.TrimSuffix(d.file, ".go"))
	case d.function != nil:
		why = unusable(d.function)
	case d.what != "var":
		why = "is a " + d.what
	}
	if why != "" {
		return fmt.Errorf("%s: %s %s; want %s", f.files.Position(d.pos), name, why, signatures)
	}
	return nil
}

// list is every exported name with its signature.
func (f folder) list() string {
	var out []string
	for _, d := range f.exported {
		what := d.what + " " + d.name
		if d.function != nil {
			var b bytes.Buffer
			if err := printer.Fprint(&b, f.files, d.function); err != nil {
				b.WriteString("func")
			}
			what = "func " + d.name + strings.TrimPrefix(b.String(), "func")
		}
		out = append(out, d.file+": "+what)
	}
	if len(out) == 0 {
		return "no exported name in " + strings.Join(f.names, ", ")
	}
	return strings.Join(out, "; ")
}

// unusable says what is wrong with a signature, where names alone tell. A name may be an alias, so it is given the benefit of the doubt.
func unusable(t *ast.FuncType) string {
	in, out := flat(t.Params), flat(t.Results)
	switch {
	case t.TypeParams != nil:
		return "has type parameters"
	case len(in) > 2:
		return fmt.Sprintf("takes %d arguments", len(in))
	case len(in) > 0 && isVariadic(in[len(in)-1]):
		return "is variadic"
	case len(in) == 2 && isNamed(in[0], "ResponseWriter"):
		if len(out) > 0 {
			return "takes an http.ResponseWriter and has a result"
		}
		return ""
	case len(in) == 2 && !isNamed(in[0], "Context"):
		return "takes two arguments of which the first is no context.Context"
	case len(out) > 2:
		return fmt.Sprintf("has %d results", len(out))
	case len(out) > 0 && !isNamed(out[len(out)-1], "error"):
		return "has no error as its last result"
	}
	return ""
}

// flat is a list of types, one for each name.
func flat(list *ast.FieldList) []ast.Expr {
	var out []ast.Expr
	if list != nil {
		for _, field := range list.List {
			for range max(1, len(field.Names)) {
				out = append(out, field.Type)
			}
		}
	}
	return out
}

func isVariadic(e ast.Expr) bool {
	_, ok := e.(*ast.Ellipsis)
	return ok
}

// isNamed tells a type that is called name in some package, or that may be an alias of it.
func isNamed(e ast.Expr, name string) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name == name
	case *ast.Ident:
		switch e.Name {
		case "any", "bool", "byte", "comparable", "complex64", "complex128", "error", "float32", "float64", "int", "int8", "int16", "int32",
			"int64", "rune", "string", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr":
			return e.Name == name
		}
		return true
	}
	return false
}
