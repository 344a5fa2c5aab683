package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.000", 0.0204: "0.020", 1.154: "1.15", 12.34: "12.3", 712.4: "712", 12345.6: "12,346", 1234567: "1,234,567",
		-1.5: "-1.50", -12345: "-12,345",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v): got %s, want %s", v, got, want)
		}
	}
}

func TestMet(t *testing.T) {
	three := &spread{Min: 1, Median: 3, Max: 9}
	for name, c := range map[string]struct {
		row        row
		met, known bool
	}{
		"no target":            {row{Ours: three}, false, false},
		"the median counts":    {row{Ours: three, Target: atMost(3)}, true, true},
		"over the most":        {row{Ours: three, Target: atMost(2.9)}, false, true},
		"at the least":         {row{Ours: three, Target: atLeast(3)}, true, true},
		"under the least":      {row{Ours: three, Target: atLeast(3.1)}, false, true},
		"a ratio":              {row{Ours: &spread{Median: 1}, Ratio: three, Target: atLeastTimes(3)}, true, true},
		"too great a ratio":    {row{Ours: &spread{Median: 1}, Ratio: three, Target: atMostTimes(1.15)}, false, true},
		"not measured, no met": {row{Target: atMost(3)}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			met, known := c.row.met()
			is.Equal(met, c.met)
			is.Equal(known, c.known)
		})
	}
}

func TestPrint(t *testing.T) {
	is := is.New(t)
	var out strings.Builder
	is.NoErr(report{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Regcast: "v1", Machine: "2 × X", Disk: "ext4", Load: [2]float64{0.5, 2}, Rows: []row{
		{Figure: "speed", Unit: "/s", Yardstick: &spread{10, 20, 30}, Ours: &spread{50000, 60000, 70000}, Ratio: &spread{3, 3, 3},
			Target: atLeastTimes(4), Note: "how"},
		{Figure: "size", Unit: "MB", Ours: &spread{12, 12, 12}, Target: atMost(40)},
		{Figure: "more", Unit: "ms", Ours: &spread{-1, 0.5, 2}},
	}}.print(&out))
	is.Equal(out.String(), `regcast v1, 2 × X, disk ext4, 2026-01-02 03:04 UTC, load 0.50 before, 2.00 at the end
median of the rounds (least … greatest); KB = 1,000 bytes, MB = 1,000,000

figure     yardstick              ours                         ratio   target     met
speed [1]  20.0 /s (10.0 … 30.0)  60,000 /s (50,000 … 70,000)  3.00 ×  ≥ 4.00 ×   NO
size       –                      12.0 MB                      –       ≤ 40.0 MB  yes
more       –                      0.500 ms (-1.00 … 2.00)      –       –          –

[1] how
`)
}

func TestRowJSON(t *testing.T) {
	is := is.New(t)
	data, err := json.Marshal([]row{
		{Figure: "size", Unit: "MB", Ours: &spread{12, 12, 12}, Target: atMost(40)},
		{Figure: "more", Unit: "ms", Ours: &spread{1, 2, 3}},
	})
	is.NoErr(err)
	is.Equal(string(data), `[{"figure":"size","unit":"MB","ours":{"min":12,"median":12,"max":12},`+
		`"target":{"at_most":true,"ratio":false,"limit":40},"met":true},`+
		`{"figure":"more","unit":"ms","ours":{"min":1,"median":2,"max":3}}]`)
}
