package main

import (
	"math"
	"slices"
)

// spread is what several rounds gave.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// spreadOf sums up a value of each round; nil when there is none.
func spreadOf(rounds []float64) *spread {
	if len(rounds) == 0 {
		return nil
	}
	return &spread{Min: slices.Min(rounds), Median: quantile(rounds, 0.5), Max: slices.Max(rounds)}
}

// ratios divides each round of ours by the yardstick's round beside it, so that what slows both leaves the ratio alone.
func ratios(ours, yardstick []float64) []float64 {
	var r []float64
	for i := range min(len(ours), len(yardstick)) {
		r = append(r, ours[i]/yardstick[i])
	}
	return r
}

// quantile returns the value that a share q of the values does not exceed, between two of them when q falls there.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// pooled returns a quantile over all rounds together, between the least and the greatest that a single round gave.
func pooled(rounds [][]float64, q float64) *spread {
	var all, each []float64
	for _, r := range rounds {
		all = append(all, r...)
		each = append(each, quantile(r, q))
	}
	if len(all) == 0 {
		return nil
	}
	return &spread{Min: slices.Min(each), Median: quantile(all, q), Max: slices.Max(each)}
}
