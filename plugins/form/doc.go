// Package form describes the settings of a plugin as values: one schema draws the form in the browser, checks what is
// saved through the API, checks it again on the worker, and writes the parameters table of the plugin's README.
//
// The kinds of field are closed. A plugin that needs a new kind adds it here, for everybody: to Type, to the decoder and
// to the component that draws fields.
//
// Raw settings are JSON objects as DolphinScheduler stores them (taskParams). Members that no field names are kept by
// whoever stores the object and are ignored here, so an imported definition with unknown extras still loads.
package form
