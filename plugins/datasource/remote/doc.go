// Package remote signs in to machines by SSH with the settings of a data source of the type SSH.
package remote
