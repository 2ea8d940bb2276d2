export type {Reactor, Readiness, Timer, Watch} from './reactor.ts';
