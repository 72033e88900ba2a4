// Package home draws the dashboard: what runs, what failed and how much there was.
package home
