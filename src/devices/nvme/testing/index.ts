export {type CommandValues, dataPage, eventIndexPage, NvmeDriver, shadowPage, type Told} from './nvme-driver.ts';
export {NvmeMachine} from './nvme-machine.ts';
