// Requests to the server, and its messages.

/** A request that the server refused; the message is a line to read. */
export class Refused extends Error {
  /** @param {number} status @param {string} line */
  constructor(status, line) {
    super(line);
    this.status = status;
  }
}

/** @typedef {import("./types.js").News} News */

const SENT = 16; // tiles that are kept until they are asked for

/** The line to the server: requests, and messages as long as the page is open. */
export class Server {
  /** @param {(news: News) => void} heard @param {() => void} lost */
  constructor(heard, lost) {
    this.tab = "";
    this.known = /** @type {Promise<void>} */ (new Promise((resolve) => (this.met = resolve)));
    this.heard = heard;
    this.lost = lost;
    /** What came before it was asked for, by its address. @type {Map<string, Promise<ImageBitmap>>} */
    this.sent = new Map();
  }

  /** Open the line. The server begins to load what works with pictures; what is asked for waits until it knows the page. */
  connect() {
    const socket = new WebSocket(`ws://${location.host}/api/tab`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => {
      if (typeof event.data !== "string") {
        this.#keep(event.data);
        return;
      }
      const news = /** @type {News} */ (JSON.parse(event.data));
      if (news.type === "tab") {
        this.tab = news.tab;
        this.met();
      } else {
        this.heard(news);
      }
    };
    socket.onclose = () => this.lost();
    window.addEventListener("pagehide", () => {
      socket.onclose = null;
      socket.close();
    });
  }

  /** Ask for what is the same for every page. @param {string} what @param {object} [message] @returns {Promise<any>} */
  async look(what, message = {}) {
    return (await this.#fetch(`/api/${what}`, { method: "POST", body: JSON.stringify(message) })).json();
  }

  /** Ask for something, with a message. @param {string} what @param {object} [message] @returns {Promise<any>} */
  async ask(what, message = {}) {
    await this.known;
    const body = JSON.stringify({ tab: this.tab, ...message });
    return (await this.#fetch(`/api/${what}`, { method: "POST", body })).json();
  }

  /** Ask with bytes beside the message. @param {string} what @param {object} message @param {BodyInit} body */
  async send(what, message, body) {
    await this.known;
    const ask = encodeURIComponent(JSON.stringify({ tab: this.tab, ...message }));
    return this.#fetch(`/api/${what}?ask=${ask}`, { method: "POST", body });
  }

  /** Return the address of something to load. @param {string} what @param {object} message */
  address(what, message) {
    return `/api/${what}?ask=${encodeURIComponent(JSON.stringify({ tab: this.tab, ...message }))}`;
  }

  /** Keep a tile that the server sends unasked: the length of its message, the message, and the bytes of its file.
   * @param {ArrayBuffer} data */
  #keep(data) {
    const length = new DataView(data).getUint32(0, true), message = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.sent.set(this.address("tile", message), createImageBitmap(new Blob([new Uint8Array(data, 4 + length)])));
    const [oldest] = this.sent.keys();
    if (this.sent.size > SENT) this.sent.delete(oldest);
  }

  /** Load a picture. @param {string} address @returns {Promise<ImageBitmap>} */
  async bitmap(address) {
    const sent = this.sent.get(address);
    this.sent.delete(address);
    if (sent) return sent;
    return createImageBitmap(await (await this.#fetch(address, {})).blob());
  }

  /** @param {string} address @param {RequestInit} options */
  async #fetch(address, options) {
    let answer;
    try {
      answer = await fetch(address, { ...options, cache: "no-store" });
    } catch {
      this.lost();
      throw new Refused(0, "");
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    let line = text;
    try {
      line = JSON.parse(text).error;
    } catch {
      // the guard's refusals are plain lines
    }
    throw new Refused(answer.status, line);
  }
}
