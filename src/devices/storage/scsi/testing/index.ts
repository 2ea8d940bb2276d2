export {type Answer, Initiator} from './initiator.ts';
