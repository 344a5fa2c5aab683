package template_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

func TestOverridesInBothSpellings(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"A=1", "B=two"}, map[string]string{"A": "1", "B": "two"}},
		{[]string{`A=1 B="two words" C='x y'`}, map[string]string{"A": "1", "B": "two words", "C": "x y"}},
		{[]string{`A=two\ words B="a \"b\""`}, map[string]string{"A": "two words", "B": `a "b"`}},
		{[]string{`ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue="x,y z"`}, map[string]string{"A": "1", "B": "x,y z"}},
		{[]string{"A=b=c", "D="}, map[string]string{"A": "b=c", "D": ""}},
		{[]string{`"A=1" A=2`}, map[string]string{"A": "2"}},
		{[]string{`A=it's`}, map[string]string{"A": "it's"}},
		{[]string{`A=C:\dir`}, map[string]string{"A": `C:\dir`}},
	} {
		is := is.New(t)
		got, err := template.Overrides(tc.args)
		is.NoErr(err)
		is.Equal(got, tc.want)
	}
	for args, want := range map[string]string{
		"A":              `parameter override: got "A", want Name=value, Name="a value" or ParameterKey=Name,ParameterValue=value`,
		"=1":             `parameter override: got "=1", want Name=value, Name="a value" or ParameterKey=Name,ParameterValue=value`,
		"ParameterKey=A": `parameter override: got "ParameterKey=A", want Name=value, Name="a value" or ParameterKey=Name,ParameterValue=value`,
		`A="x`:           `parameter override: got "A=\"x", in which a " is not closed`,
	} {
		is := is.New(t)
		_, err := template.Overrides([]string{args})
		is.True(err != nil)
		is.Equal(err.Error(), want)
	}
}

const samconfig = `version = 0.1

[default.global.parameters]
stack_name = "all"
region = "eu-west-1"

[default.deploy.parameters]
stack_name = "shop"
parameter_overrides = "Stage=\"prod\" Prefix=team"
capabilities = "CAPABILITY_IAM"

[dev.deploy.parameters]
parameter_overrides = ["Stage=dev", "Prefix=\"a b\""]
`

func TestSAMConfigIsRead(t *testing.T) {
	is := is.New(t)
	c, err := template.SAMConfig("samconfig.toml", []byte(samconfig), "")
	is.NoErr(err)
	is.Equal(c, template.Config{Stack: "shop", Region: "eu-west-1", Parameters: map[string]string{"Stage": "prod", "Prefix": "team"}})

	c, err = template.SAMConfig("samconfig.toml", []byte(samconfig), "dev")
	is.NoErr(err)
	is.Equal(c, template.Config{Parameters: map[string]string{"Stage": "dev", "Prefix": "a b"}})

	c, err = template.SAMConfig("samconfig.yaml", []byte("default:\n  deploy:\n    parameters:\n      stack_name: s\n      parameter_overrides: {Batch: 5, Stage: x}\n"), "")
	is.NoErr(err)
	is.Equal(c, template.Config{Stack: "s", Parameters: map[string]string{"Batch": "5", "Stage": "x"}})

	c, err = template.SAMConfig("samconfig.toml", nil, "")
	is.NoErr(err)
	is.Equal(c, template.Config{})
}

func TestWrongSAMConfigsAreRefused(t *testing.T) {
	for _, tc := range []struct{ file, data, env, want string }{
		{"samconfig.toml", samconfig, "deb", `samconfig.toml: there is no environment "deb", want dev`},
		{"samconfig.toml", "[default.deploy.parameters]\nregion = 3", "", "samconfig.toml: default.deploy.parameters.region: got 3, want a text"},
		{"samconfig.toml", "[default.deploy.parameters]\nparameter_overrides = \"A\"", "",
			`samconfig.toml: default.deploy.parameters.parameter_overrides: parameter override: got "A", want Name=value, Name="a value" or ParameterKey=Name,ParameterValue=value`},
		{"samconfig.toml", "a = 1\nb = ", "", "samconfig.toml:2: unexpected EOF; expected value"},
		{"samconfig.yaml", "a: 1\nb: [", "", "samconfig.yaml:3: did not find expected node content"},
	} {
		is := is.New(t)
		_, err := template.SAMConfig(tc.file, []byte(tc.data), tc.env)
		is.True(err != nil)
		is.Equal(err.Error(), tc.want)
	}
}
