import type {DebianMirror} from '#main/images';
import {parseKeyValues} from '#support/options';

/** Reads `--mirror URL[,suite=NAME][,components=NAME:…]`. @throws CONFIG_KEY_* */
export function parseMirror(text: string): DebianMirror {
	const [address = '', ...rest] = text.split(',');
	if (rest.length === 0) return {address};
	const values = parseKeyValues(rest.join(','), '--mirror', {suite: 'value', components: 'value'});
	const [suite, components] = [values.value('suite'), values.value('components')?.split(':')];
	return {address, ...(suite !== undefined && {suite}), ...(components !== undefined && {components})};
}
