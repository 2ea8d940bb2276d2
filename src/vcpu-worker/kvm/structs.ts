/** Every struct this layer exchanges with the kernel, for the comparison with the C compiler's view. */
import * as run from './structs-run.ts';
import * as vcpu from './structs-vcpu.ts';
import * as vm from './structs-vm.ts';

/** All structs that C has by their names. */
export const allStructs = [...Object.values(vm), ...Object.values(vcpu), ...Object.values(run)].filter(({name}) =>
	name.startsWith('kvm_'),
);
