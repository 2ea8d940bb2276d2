import {invalidValue, type ValueType} from '#support/options';
import {endpointForms, kindNamed, kindOf, kindOfPrefix, type NetworkSource} from './kinds.ts';

/** What carries a NIC's frames, written as OpenVMM has it: `none`, `tap:NAME`, … */
export const endpointOption: ValueType<NetworkSource> = {
	placeholder: 'BACKEND',
	parse(text, option) {
		// Words may follow at once, without what a colon is for.
		const [, prefix = '', behind, words] = /^([^:,]*)(?::(.*)|(,.*))?$/s.exec(text) ?? [];
		const kind = kindOfPrefix(prefix);
		if (kind === undefined) throw invalidValue(option, text, endpointForms);
		return kind.parse(behind ?? words, option);
	},
	check(value, option) {
		const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
		const isRight = kindNamed(fields['kind'])?.isRight(fields) === true;
		return isRight ? undefined : invalidValue(option, value, endpointForms);
	},
	checkHost: (source, option, host) => kindOf(source).checkHost?.(source, option, host),
	detach: (source, keep) => kindOf(source).detach?.(source, keep) ?? source,
};
