export type Json = string | number | boolean | null | JsonObject | Json[];
export interface JsonObject {
  [key: string]: Json;
}

/** Copies an object the way a JSON body does: what is undefined or a method is gone, the rest is ours to change. */
export function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
