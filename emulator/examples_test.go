package emulator_test

import (
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// The files of examples/ do what their first lines and the README say.
func TestExamples(t *testing.T) {
	is := is.New(t)
	read := func(name string) emulator.File {
		data, err := os.ReadFile("../examples/" + name)
		is.NoErr(err)
		return emulator.File{Name: name, Data: data}
	}
	em := emulatortest.Start(t, emulator.Config{
		Triggers: []emulator.File{read("trigger.yaml")},
		Gateways: []emulator.Gateway{{ID: "d5dexamplegateway000", File: read("openapi.yaml")}},
	})
	ws := em.Dial("/gw/d5dexamplegateway000/teams/red")
	is.Equal(string(ws.Read()), `{"team":"red","connection":"`+ws.ID()+`"}`)
	ws.Write([]byte("hello"))
	is.Equal(string(ws.Read()), `{"heard":"red"}`)
	em.Push("other/app:v1") // another image
	em.Push("team/app:v1")
	got := ws.Expect("create-image", "create-image-tag")
	is.True(strings.HasSuffix(got[0].Details.RepositoryName, "/team/app"))
}
