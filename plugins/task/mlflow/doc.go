// Package mlflow is the MLFLOW task: a project of MLflow, or a model that it serves.
package mlflow
