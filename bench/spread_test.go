package main

import (
	"math"
	"testing"

	"github.com/matryer/is"
)

func TestSpread(t *testing.T) {
	is := is.New(t)
	is.Equal(spreadOf(nil), nil)
	is.Equal(*spreadOf([]float64{3, 1, 9}), spread{Min: 1, Median: 3, Max: 9})
	is.Equal(*spreadOf([]float64{4, 1, 2, 9}), spread{Min: 1, Median: 3, Max: 9}) // between the two in the middle
}

func TestQuantile(t *testing.T) {
	is := is.New(t)
	hundred := make([]float64, 101)
	for i := range hundred {
		hundred[100-i] = float64(i)
	}
	is.Equal(quantile(hundred, 0), 0.0)
	is.Equal(quantile(hundred, 0.99), 99.0)
	is.Equal(quantile(hundred, 1), 100.0)
	is.Equal(hundred[0], 100.0) // the values stay in their order
	is.True(math.IsNaN(quantile(nil, 0.5)))
}

func TestRatiosPairRounds(t *testing.T) {
	is := is.New(t)
	is.Equal(ratios([]float64{2, 30, 5}, []float64{1, 10}), []float64{2, 3}) // a round without its partner does not count
}

func TestPooled(t *testing.T) {
	is := is.New(t)
	is.Equal(pooled(nil, 0.5), nil)
	is.Equal(*pooled([][]float64{{1, 2, 3}, {3, 4, 5, 6, 7}}, 0.5), spread{Min: 2, Median: 3.5, Max: 5})
}
