export {HostFolder} from './host-folder.ts';
export {openHostFolder} from './open-host-folder.ts';
