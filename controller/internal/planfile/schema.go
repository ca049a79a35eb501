package planfile

import (
	"encoding/json"
	"reflect"
)

// Schema is a JSON schema of plan.toml for editors, made from the Go types.
func Schema() []byte {
	schema := describe(reflect.TypeFor[file]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "rpctl plan.toml"
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // maps of strings cannot fail
	}
	return append(out, '\n')
}

// describe is the schema of one type of the file.
func describe(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Struct:
		return describeStruct(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "minItems": 1, "items": describe(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": describe(t.Elem()),
			"propertyNames": map[string]any{"pattern": "^[1-9][0-9]*$"}}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer", "minimum": 1}
	default:
		return map[string]any{"type": "string"}
	}
}

func describeStruct(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("toml")
		property := describe(field.Type)
		property["description"] = field.Tag.Get("desc")
		properties[name] = property
		if field.Tag.Get("required") == "true" {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}
