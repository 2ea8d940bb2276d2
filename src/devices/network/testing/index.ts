export {inNameSpace, makeTap, mayInNameSpace} from './name-space.ts';
export {isSound, type PacketParts, packet, payloadOf, pseudoSum} from './packets.ts';
export {TestEndpoint} from './test-endpoint.ts';
export {TestNic} from './test-nic.ts';
export {turningReactor} from './turning-reactor.ts';
