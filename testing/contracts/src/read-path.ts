import { isObject } from './wants';

const PARTS = /\[(?<place>\d+)\]|\[(?<name>[^\]=]+)=(?<wanted>[^\]]*)\]|(?<json>>)|(?<key>[^.[\]>]+)/g;

/**
 * The value at `response.data[0].fieldData.key`; undefined when something on the way is missing.
 * `data[status=open]` is the first in the list whose `status` is that, `>` reads the text there as JSON. Placeholders
 * are filled part by part, since names of fields may contain dots.
 */
export function readPath(value: unknown, path: string, fill: (text: string) => string): unknown {
  let here = value;
  for (const { groups = {} } of path.matchAll(PARTS)) {
    const { place, name, wanted, key } = groups;
    if (place !== undefined) here = Array.isArray(here) ? (here as unknown[])[Number(place)] : undefined;
    else if (name !== undefined) here = firstWith(here, name, fill(wanted ?? ''), fill);
    else if (key !== undefined) here = isObject(here) ? here[fill(key)] : undefined;
    else here = asJson(here);
  }
  return here;
}

function firstWith(list: unknown, name: string, wanted: string, fill: (text: string) => string): unknown {
  if (!Array.isArray(list)) return undefined;
  return list.find((item: unknown) => String(readPath(item, name, fill)) === wanted);
}

function asJson(value: unknown): unknown {
  if (typeof value !== 'string') return undefined;
  try {
    return JSON.parse(value);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
