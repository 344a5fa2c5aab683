package report_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording/report"
)

func page(t *testing.T, r report.Source, o report.Options) []byte {
	t.Helper()
	is := is.New(t)
	var out bytes.Buffer
	is.NoErr(report.Write(&out, r, o))
	return out.Bytes()
}

func TestX(t *testing.T) {
	os.WriteFile("/tmp/report-h7/run.html", page(t, write(60), report.Options{Name: "nightly.regcast.jsonl", Note: "go test ./... ended with exit code 1"}), 0o600)
	os.WriteFile("/tmp/report-h7/big.html", page(t, write(5000), report.Options{}), 0o600)
	os.WriteFile("/tmp/report-h7/empty.html", page(t, &run{}, report.Options{}), 0o600)
}
