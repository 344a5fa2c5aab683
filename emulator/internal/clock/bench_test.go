package clock_test

import (
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// What a timer costs that is set and stopped before its time, as nearly all are, beside time.Timer; others are 10,000 that wait.
func BenchmarkTimer(b *testing.B) {
	for name, c := range map[string]clock.Clock{"time": clock.Real{}, "warp": clock.NewWarp(time.Time{})} {
		for others, n := range map[string]int{"alone": 0, "beside 10,000": 10_000} {
			b.Run(name+"/"+others, func(b *testing.B) {
				var crowd []clock.Timer
				for i := range n {
					crowd = append(crowd, c.NewTimer(time.Hour+time.Duration(i)*time.Second))
				}
				b.ReportAllocs()
				for b.Loop() {
					c.NewTimer(30 * time.Minute).Stop()
				}
				for _, t := range crowd {
					t.Stop()
				}
			})
			b.Run(name+"/reset "+others, func(b *testing.B) {
				var crowd []clock.Timer
				for i := range n {
					crowd = append(crowd, c.NewTimer(time.Hour+time.Duration(i)*time.Second))
				}
				t := c.NewTimer(time.Hour)
				b.ReportAllocs()
				for b.Loop() {
					t.Reset(90 * time.Minute)
				}
				t.Stop()
				for _, t := range crowd {
					t.Stop()
				}
			})
		}
	}
}

func BenchmarkNow(b *testing.B) {
	for name, c := range map[string]clock.Clock{"time": clock.Real{}, "warp": clock.NewWarp(time.Time{}), "ahead": clock.NewWarp(start)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = c.Now()
			}
		})
	}
}
