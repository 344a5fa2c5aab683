package document

import (
	"bytes"
	"cmp"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Refusal says in the cloud's own words why a value or an expression is not accepted.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// What is wrong with a number.
const (
	errOverflow  = Refusal("Number overflow. Attempting to store a number with magnitude larger than supported range")
	errUnderflow = Refusal("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	errPrecision = Refusal("Attempting to store more than 38 significant digits in a Number")
)

const (
	precision   = 38
	maxExponent = 125
	minExponent = -130
)

// Decimal is a number of up to 38 digits between 1E-130 and 9.99…E+125, exact. Equal numbers are == .
type Decimal struct {
	sign     int8   // -1, 0, 1
	exponent int16  // of the first digit: d.ddd × 10^exponent
	digits   string // without zeros at either end
}

// Integer is n as a Decimal.
func Integer(n int64) Decimal {
	d, _ := ParseDecimal(strconv.FormatInt(n, 10)) // 19 digits fit
	return d
}

// ParseDecimal reads a number as DynamoDB does: digits with a point and an exponent, no spaces, no hex, no NaN.
func ParseDecimal(text string) (Decimal, error) {
	if text == "" {
		return Decimal{}, Refusal("The parameter cannot be converted to a numeric value")
	}
	malformed := Refusal("The parameter cannot be converted to a numeric value: " + text)
	rest, d := text, Decimal{sign: 1}
	switch rest[0] {
	case '-':
		d.sign, rest = -1, rest[1:]
	case '+':
		rest = rest[1:]
	}
	mantissa, exponent := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			if errors.Is(err, strconv.ErrRange) {
				return Decimal{}, errOverflow
			}
			return Decimal{}, malformed
		}
		exponent = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Decimal{}, malformed
	}
	return d.normal(digits, exponent+len(whole)-1)
}

// normal is d's sign with these digits, of which the first stands at exponent.
func (d Decimal) normal(digits string, exponent int) (Decimal, error) {
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	switch {
	case d.digits == "":
		return Decimal{}, nil
	case exponent > maxExponent:
		return Decimal{}, errOverflow
	case exponent < minExponent:
		return Decimal{}, errUnderflow
	case len(d.digits) > precision:
		return Decimal{}, errPrecision
	}
	d.digits, d.exponent = strings.Clone(d.digits), int16(exponent)
	return d, nil
}

// Compare orders by value.
func (d Decimal) Compare(e Decimal) int {
	if d.sign != e.sign {
		return cmp.Compare(d.sign, e.sign)
	}
	order := cmp.Or(cmp.Compare(d.exponent, e.exponent), cmp.Compare(d.digits, e.digits))
	return order * int(d.sign)
}

// Add is d + e. What has more than 38 digits is refused, as the cloud refuses it.
func (d Decimal) Add(e Decimal) (Decimal, error) {
	if d.sign == 0 {
		return e, nil
	}
	if e.sign == 0 {
		return d, nil
	}
	unit := min(int(d.exponent)-len(d.digits), int(e.exponent)-len(e.digits)) + 1
	sum := new(big.Int).Add(d.units(unit), e.units(unit))
	sign := Decimal{sign: int8(sum.Sign())}
	digits := sum.Abs(sum).String()
	return sign.normal(digits, unit+len(digits)-1)
}

// units is d as a count of 10^unit.
func (d Decimal) units(unit int) *big.Int {
	n, _ := new(big.Int).SetString(d.digits, 10)
	n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(int(d.exponent)-len(d.digits)+1-unit)), nil))
	if d.sign < 0 {
		n.Neg(n)
	}
	return n
}

// Neg is -d.
func (d Decimal) Neg() Decimal {
	d.sign = -d.sign
	return d
}

// Seconds is d in whole seconds, rounded up, and false when that is no time at all.
func (d Decimal) Seconds() (int64, bool) {
	if d.exponent > 15 {
		return 0, false
	}
	f, err := strconv.ParseFloat(d.String(), 64)
	whole := int64(f)
	if float64(whole) < f {
		whole++
	}
	return whole, err == nil
}

// String is d in digits, without exponent: the form in which DynamoDB answers.
func (d Decimal) String() string {
	if d.sign == 0 {
		return "0"
	}
	var b strings.Builder
	if d.sign < 0 {
		b.WriteByte('-')
	}
	switch point := int(d.exponent) + 1; {
	case point <= 0:
		b.WriteString("0." + strings.Repeat("0", -point) + d.digits)
	case point >= len(d.digits):
		b.WriteString(d.digits + strings.Repeat("0", point-len(d.digits)))
	default:
		b.WriteString(d.digits[:point] + "." + d.digits[point:])
	}
	return b.String()
}

// key writes d so that bytes order as numbers do: the sign, the exponent, the digits; all turned round below zero.
func (d Decimal) key(b *bytes.Buffer) {
	if d.sign == 0 {
		b.WriteByte(1)
		return
	}
	body := append([]byte{byte(int(d.exponent) - minExponent)}, d.digits...)
	body = append(body, 0)
	if d.sign > 0 {
		b.WriteByte(2)
	} else {
		b.WriteByte(0)
		for i := range body {
			body[i] = ^body[i]
		}
	}
	b.Write(body)
}

// size is how many bytes the cloud counts.
func (d Decimal) size() int {
	n := 1 + (len(d.digits)+1)/2
	if d.sign < 0 {
		n++
	}
	return n
}
