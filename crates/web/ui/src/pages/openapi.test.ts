import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lines, operations, typeOf, type Document } from './openapi';

const real = JSON.parse(readFileSync('../../../docs/openapi.json', 'utf8')) as Document;

describe('the API’s own document', () => {
  it('gives every operation a group, a summary and its answers', () => {
    const all = operations(real);
    expect(all.length).toBeGreaterThan(15);
    for (const operation of all) {
      expect(operation.tag, operation.path).not.toBe('');
      expect(operation.summary, operation.path).not.toBe('');
      expect(operation.answers.length, operation.path).toBeGreaterThan(0);
    }
  });

  it('has no field without a type', () => {
    for (const operation of operations(real)) {
      for (const schema of [operation.body, ...operation.answers.map((answer) => answer.schema)]) {
        for (const line of lines(real, schema)) expect(line.type, `${operation.path} ${line.name}`).not.toBe('any');
      }
    }
  });
});

describe('a schema', () => {
  const document: Document = {
    components: {
      schemas: {
        Node: {
          type: 'object',
          required: ['id'],
          properties: {
            id: { type: 'string', format: 'uuid' },
            children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
          },
        },
        Kind: { type: 'string', enum: ['a', 'b'] },
      },
    },
  };

  it('that holds itself ends', () => {
    expect(
      lines(document, { $ref: '#/components/schemas/Node' }).map((line) => [line.depth, line.name, line.required]),
    ).toEqual([
      [0, 'id', true],
      [0, 'children', false],
    ]);
  });

  it('tells its type in one line', () => {
    expect(typeOf(document, { $ref: '#/components/schemas/Kind' })).toBe('"a" | "b"');
    expect(typeOf(document, { type: ['integer', 'null'], format: 'int32', minimum: 1, maximum: 9 })).toBe(
      'integer (int32) | null 1..9',
    );
    expect(typeOf(document, { oneOf: [{ type: 'null' }, { $ref: '#/components/schemas/Kind' }] })).toBe(
      'null | "a" | "b"',
    );
  });
});
