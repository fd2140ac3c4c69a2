/** The server's OpenAPI document, made readable: operations in groups, and schemas as indented lines. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  example?: unknown;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
}

interface Media {
  schema?: Schema;
}

interface RawOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  operationId?: string;
  parameters?: Parameter[];
  requestBody?: { content?: Record<string, Media> };
  responses?: Record<string, { description?: string; content?: Record<string, Media> }>;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Document {
  info?: { title?: string; version?: string; description?: string };
  paths?: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface Operation {
  id: string;
  tag: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  parameters: Parameter[];
  body: Schema | undefined;
  answers: { status: string; description: string; schema: Schema | undefined }[];
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function operations(document: Document): Operation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => {
      const raw = item[method] ?? {};
      return {
        id: raw.operationId ?? `${method} ${path}`,
        tag: raw.tags?.[0] ?? '',
        method: method.toUpperCase(),
        path,
        summary: raw.summary ?? '',
        description: raw.description ?? '',
        parameters: raw.parameters ?? [],
        body: content(raw.requestBody?.content),
        answers: Object.entries(raw.responses ?? {}).map(([status, answer]) => ({
          status,
          description: answer.description ?? '',
          schema: content(answer.content),
        })),
      };
    }),
  );
}

function content(media: Record<string, Media> | undefined): Schema | undefined {
  return Object.values(media ?? {})[0]?.schema;
}

/** A line of a schema: a field, how deep it stands, and what it may be. */
export interface Line {
  depth: number;
  name: string;
  type: string;
  required: boolean;
  description: string;
}

/** Deep enough for every shape of this interface; one that holds itself ends here. */
const DEEPEST = 6;

export function lines(document: Document, schema: Schema | undefined): Line[] {
  const found: Line[] = [];
  walk(document, resolve(document, schema), 0, found, []);
  return found;
}

function walk(document: Document, schema: Schema, depth: number, into: Line[], seen: readonly Schema[]): void {
  if (depth > DEEPEST || seen.includes(schema)) return;
  const inner = [...seen, schema];
  const parts = [schema, ...(schema.allOf ?? []).map((part) => resolve(document, part))];
  for (const part of parts) {
    for (const [name, field] of Object.entries(part.properties ?? {})) {
      const full = resolve(document, field);
      into.push({
        depth,
        name,
        type: typeOf(document, field),
        required: part.required?.includes(name) ?? false,
        description: field.description ?? full.description ?? '',
      });
      for (const below of nested(document, full)) walk(document, below, depth + 1, into, inner);
    }
  }
  if (!schema.properties && schema.items) {
    for (const below of nested(document, schema)) walk(document, below, depth, into, inner);
  }
}

/** What stands inside a field: its own fields, those of its entries, those of its alternatives. */
function nested(document: Document, schema: Schema): Schema[] {
  if (schema.properties || schema.allOf) return [schema];
  if (schema.items) return [resolve(document, schema.items)];
  return (schema.oneOf ?? schema.anyOf ?? []).map((part) => resolve(document, part)).filter((part) => part.properties);
}

export function resolve(document: Document, schema: Schema | undefined): Schema {
  let found = schema ?? {};
  for (let hops = 0; found.$ref && hops < DEEPEST; hops += 1) {
    const name = found.$ref.split('/').pop() ?? '';
    found = document.components?.schemas?.[name] ?? {};
  }
  return found;
}

export function typeOf(document: Document, schema: Schema): string {
  const full = resolve(document, schema);
  if (full.enum) return full.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (full.const !== undefined) return JSON.stringify(full.const);
  const either = full.oneOf ?? full.anyOf;
  if (either) return [...new Set(either.map((part) => typeOf(document, part)))].join(' | ');
  if (full.items) return `${typeOf(document, full.items)}[]`;
  const types = Array.isArray(full.type)
    ? full.type
    : [full.type ?? (full.properties || full.allOf ? 'object' : 'any')];
  const limits =
    full.minimum !== undefined || full.maximum !== undefined ? ` ${full.minimum ?? ''}..${full.maximum ?? ''}` : '';
  return types.map((type) => (full.format && type !== 'null' ? `${type} (${full.format})` : type)).join(' | ') + limits;
}
