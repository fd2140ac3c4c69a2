/** The time of day, for whatever shows how long ago something was. It ticks only while somebody looks. */
import { createSubscriber } from 'svelte/reactivity';

const TICK_MS = 1000;

class Clock {
  private readonly watch = createSubscriber((update) => {
    const timer = setInterval(update, TICK_MS);
    return () => clearInterval(timer);
  });

  get now(): Date {
    this.watch();
    return new Date();
  }
}

export const clock = new Clock();
