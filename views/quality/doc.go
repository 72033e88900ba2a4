// Package quality draws the rules of data quality and what they found.
package quality
