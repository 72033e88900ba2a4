// Package crontab makes workflows of crontab files: one SHELL task and one schedule for each line.
package crontab
