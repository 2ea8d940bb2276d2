/** `openvmm/testing`: machines in tests, whatever runs them. */
export type {FindOptions, GuestConsole} from '#main/api';
export {type DumpChoices, writeDump} from './dump.ts';
export type {TestLifetime} from './lifetime.ts';
export {type TestVmOptions, testVm, withVm} from './test-vm.ts';
