import test from 'ava';
import {errorTable, isVmmError, VmmError} from './index.ts';

test('a program`s choice by code is checked when it is compiled', (t) => {
	const found = (error: VmmError): string => {
		switch (error.code) {
			case 'KVM_MISSING':
				return 'no hypervisor';
			// @ts-expect-error TS2678: there is no such code.
			case 'KVM_MISING':
				return 'never';
			default:
				return 'another';
		}
	};
	const error = new VmmError({code: 'KVM_MISSING', message: 'No KVM', context: {}});
	t.is(found(error), 'no hypervisor');
	t.true(isVmmError(error, 'KVM_MISSING'));
	// @ts-expect-error TS2345: there is no such code.
	t.false(isVmmError(error, 'KVM_MISING'));
});

test('a table makes no error whose code is in no list', (t) => {
	const make = errorTable({
		KVM_MISSING: (c: {path: string}) => ({message: `No ${c.path}`}),
		NOWHERE: () => ({message: 'No'}),
	});
	t.is(make('KVM_MISSING', {path: '/dev/kvm'}).message, 'No /dev/kvm');
	// @ts-expect-error TS2345: it is in no list.
	t.is(make('NOWHERE', {}).code as string, 'NOWHERE');
});
