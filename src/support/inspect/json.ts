import type {InspectResult} from './result.ts';

/**
 * The tree as a script reads it: objects and plain values. What is not plain is an object with one key in `$`:
 * `{$sensitive: value}`, `{$unresolved: why}`, `{$error: message}`; an object that is sensitive has `$sensitive: true` in it.
 */
export function toJson(result: InspectResult): unknown {
	switch (result.kind) {
		case 'value':
			return result.sensitive ? {$sensitive: result.value} : result.value;
		case 'object':
			return Object.fromEntries([
				...(result.sensitive ? [['$sensitive', true] as const] : []),
				...result.children.map(([name, child]) => [name, toJson(child)] as const),
			]);
		case 'unresolved':
			return {$unresolved: result.why};
		case 'error':
			return {$error: result.message};
	}
}
