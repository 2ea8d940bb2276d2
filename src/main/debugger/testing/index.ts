export {RawClient} from './raw-client.ts';
export {attached, checksum, served, until} from './served-machine.ts';
export {StillMachine} from './still-machine.ts';
