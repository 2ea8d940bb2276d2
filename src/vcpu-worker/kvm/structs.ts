/** Every struct this layer exchanges with the kernel, for the comparison with the C compiler's view. */
import * as run from './structs-run.ts';
import * as vcpu from './structs-vcpu.ts';
import * as vm from './structs-vm.ts';

/** All layouts. A C struct with a union appears once per arm that is used. */
export const allStructs = [...Object.values(vm), ...Object.values(vcpu), ...Object.values(run)];
