package wire_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		rule    string
		in, out []int64
		want    string
	}{
		{"<=50", []int64{-1, 0, 50}, []int64{51}, "at most 50"},
		{"<50", []int64{49}, []int64{50, 51}, "less than 50"},
		{">=0", []int64{0, 1 << 62}, []int64{-1}, "at least 0"},
		{">0", []int64{1}, []int64{0, -1}, "more than 0"},
		{"1-63", []int64{1, 63}, []int64{0, 64}, "1-63"},
		{"36", []int64{36}, []int64{35, 37}, "36"},
		{"-5-10", []int64{-5, 10}, []int64{-6, 11}, "-5-10"},
		{"-5--2", []int64{-5, -2}, []int64{-6, -1}, "-5--2"},
		{"-7", []int64{-7}, []int64{7}, "-7"},
		{"134217728-8589934592", []int64{134217728, 8589934592}, []int64{134217727, 8589934593}, "134217728-8589934592"},
	} {
		is := is.New(t)
		for _, n := range c.in {
			holds, want, err := wire.SpanHolds(c.rule, n)
			is.NoErr(err)
			is.True(holds)
			is.Equal(want, c.want)
		}
		for _, n := range c.out {
			holds, _, err := wire.SpanHolds(c.rule, n)
			is.NoErr(err)
			is.True(!holds)
		}
	}
	for _, rule := range []string{"", "-", "5-", ">", "<=", "many", "10-1", "1-2-3", "1,2", "<= 5", "10s", "99999999999999999999"} {
		if _, _, err := wire.SpanHolds(rule, 0); err == nil {
			t.Errorf("%q was understood", rule)
		}
	}
}

func TestSpanOfTime(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		rule string
		d    time.Duration
		want bool
	}{
		{"10s-1m", 10 * time.Second, true}, {"10s-1m", time.Minute, true}, {"10s-1m", 61 * time.Second, false},
		{"<=600s", 10 * time.Minute, true}, {"<=600s", 601 * time.Second, false}, {"1h", time.Hour, true}, {"1h", time.Minute, false},
		{"1h-8760h", 365 * 24 * time.Hour, true}, {">=24h", time.Hour, false}, {"-1s-1s", -time.Second, true},
	} {
		holds, err := wire.DurationHolds(c.rule, int64(c.d))
		is.NoErr(err)
		is.Equal(holds, c.want)
	}
	const century = "19700101T000000.000000000-21051231T235959.999999999"
	for at, want := range map[time.Time]bool{
		time.Unix(0, 0):    true,
		time.Unix(-1, 0):   false,
		time.Unix(2e9, 0):  true,
		time.Unix(5e9, 0):  false,
		time.Unix(1e11, 0): false,
	} {
		holds, err := wire.TimeHolds(century, at.UnixMicro())
		is.NoErr(err)
		is.Equal(holds, want)
	}
	holds, err := wire.FloatHolds("0.5-1.5", 0.4)
	is.NoErr(err)
	is.True(!holds)
	_, err = wire.FloatHolds(">=NaN", 0)
	is.True(err != nil) // nothing is more or less than it
}

// Whatever is understood has an inside: its bounds do not cross, and what is wanted is told.
func FuzzSpan(f *testing.F) {
	for _, rule := range []string{"<=50", ">=0", ">0", "<5", "1-63", "36", "-5--2", "10s-1m", "1h", "0.5-1.5", "19700101T000000.000000000-21051231T235959.999999999", "--", "<"} {
		f.Add(rule, int64(7))
	}
	f.Fuzz(func(t *testing.T, rule string, n int64) {
		holds, want, err := wire.SpanHolds(rule, n)
		if err == nil {
			if want == "" {
				t.Errorf("%q wants nothing", rule)
			}
			// A rule holds for all numbers on one side of a bound, or none but those between two: beyond both ends it cannot hold.
			low, _, _ := wire.SpanHolds(rule, -1<<63)
			high, _, _ := wire.SpanHolds(rule, 1<<63-1)
			if holds && low && high && rule[0] != '<' && rule[0] != '>' && rule != "-9223372036854775808-9223372036854775807" {
				t.Errorf("%q holds for everything", rule)
			}
		}
		_, _ = wire.FloatHolds(rule, float64(n))
		_, _ = wire.DurationHolds(rule, n)
		_, _ = wire.TimeHolds(rule, n)
	})
}
