// Package explain says of an event why it went where it went: for every trigger, fired or not, the first predicate that failed.
package explain
