/** What a form-encoded request carries: texts, lists and nested objects. */
export type FormValue = string | FormValue[] | Form;
export interface Form {
  [name: string]: FormValue;
}

/**
 * Reads Stripe's bracket notation: `a=1`, `b[]=1`, `b[0]=1`, `c[d]=1` (Stripe: API reference, form-encoded bodies).
 */
export function parseForm(text: string): Form {
  const form: Form = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const path = name.split('[').map((part) => part.replace(/\]$/, ''));
    place(form, path, value);
  }
  return lists(form) as Form;
}

function place(form: Form, path: string[], value: string): void {
  let here = form;
  for (const part of path.slice(0, -1)) {
    const next = here[part];
    const branch: Form = isForm(next) ? next : {};
    here[part] = branch;
    here = branch;
  }
  const last = path.at(-1) ?? '';
  here[last === '' ? String(Object.keys(here).length) : last] = value;
}

/** An object whose names are 0, 1, 2 … was a list. */
function lists(value: FormValue): FormValue {
  if (!isForm(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, lists(inner)] as const);
  const isList = entries.length > 0 && entries.every(([name], index) => name === String(index));
  return isList ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

export function isForm(value: FormValue | undefined): value is Form {
  return typeof value === 'object' && !Array.isArray(value);
}
