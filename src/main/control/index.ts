export {ControlClient} from './control-client.ts';
export {type ControlOptions, type ControlServer, serveControl} from './control-server.ts';
export {connectAll, connectMachine, type MachineChoice} from './find-machine.ts';
