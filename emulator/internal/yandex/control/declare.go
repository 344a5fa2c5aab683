package control

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/regcast/regcast/emulator/internal/yandex/containers"
	"github.com/regcast/regcast/emulator/internal/yandex/functions"
	"github.com/regcast/regcast/emulator/internal/yandex/triggers"
)

// File is a definition with the name that its errors carry. ID is a gateway's, and empty for triggers.
type File struct {
	ID, Name string
	Data     []byte
}

// Declared is what the configuration defines.
type Declared struct {
	Functions  []functions.Declared
	Containers []containers.Declared
	Gateways   []File
	Triggers   []File // none: the default trigger
}

// Check reads the files, so that what is wrong with them is known before anything is made.
func (d Declared) Check() error {
	var errs []error
	for _, g := range d.Gateways {
		_, err := yandex.CheckSpec(g.Name, g.Data, nil)
		errs = append(errs, err)
	}
	for _, f := range d.Triggers {
		_, err := yandex.ParseTriggers(f.Name, f.Data)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Declare adds what exists without any set-up and what the configuration defines, and builds the functions that were kept.
func (p *Plane) Declare(ctx context.Context, d Declared) error {
	p.folders.DeclareDefault(yandex.CloudID, yandex.FolderID, yandex.OrganizationID)
	p.iam.DeclareDefault(yandex.ServiceAccountID, "regcast-default", yandex.FolderID, yandex.CloudID)
	p.registries.DeclareDefault()
	if err := p.functions.Restore(ctx); err != nil {
		return err
	}
	var errs []error
	for _, f := range d.Functions {
		f.FolderID, f.ServiceAccountID = yandex.FolderID, yandex.ServiceAccountID
		errs = append(errs, p.functions.Declare(f))
	}
	for _, c := range d.Containers {
		c.FolderID = yandex.FolderID
		errs = append(errs, p.containers.Declare(c))
	}
	for _, g := range d.Gateways {
		id := g.ID
		if id == "" {
			id = yandex.GatewayIDFor(g.Name)
		}
		errs = append(errs, p.gateways.Declare(id, gatewayName(g.Name), g.Name, g.Data))
	}
	if err := errors.Join(append(errs, p.gateways.DeclareDefault())...); err != nil {
		return err
	}
	if len(d.Triggers) == 0 {
		return p.triggers.DeclareDefault()
	}
	for _, f := range d.Triggers {
		errs = append(errs, p.triggers.Declare(f.Name, f.Data))
	}
	return errors.Join(errs...)
}

// gatewayName makes a name of the name of a specification's file: "My_API.yaml" becomes "my-api".
func gatewayName(file string) string {
	base := filepath.Base(file)
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base)))
	return strings.Trim(name[:min(len(name), 63)], "-")
}

// Kept is what clients have made and changed, as resource.Store has it.
func (p *Plane) Kept() map[string][]byte { return p.store.Kept() }

// Keep makes what Kept has told of somewhere else, and has the rooms run it; nil deletes it.
func (p *Plane) Keep(ctx context.Context, name string, data []byte) error {
	return p.store.Keep(ctx, name, data)
}

// Triggers are the triggers as files would declare them.
func (p *Plane) Triggers() ([]triggers.Form, error) { return p.triggers.Forms() }

// Gateways are the gateways as files would declare them.
func (p *Plane) Gateways() []apigateway.Form { return p.gateways.Forms() }

// Declared counts the triggers that a file has declared.
func (p *Plane) Declared(file string) int { return p.triggers.Declared(file) }
